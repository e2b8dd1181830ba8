"""The desk for borrowing elsewhere as a lender's folder says: over the network, every message with
its line in the outbox.

    exchange.toml [borrowing]   code and address of the desk
    own/borrowing/              its copy of the table, what it submitted
    own/rings/tokens/           cached tokens, encrypted; the same that fraud rings use
    own/filed/secret            this lender's one secret: references and names follow from it
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from pathlib import Path

from client.borrowing.asking import Asking
from client.borrowing.desk import Borrowing
from client.borrowing.desk_client import DeskClient
from client.borrowing.table import KnownTables, OwnTable
from client.exchange.known_list import KnownList
from client.exchange.opening import REMOTE, Ways, keep_own, open_holders
from client.exchange.own_tokens import OwnTokens
from client.exchange.recorded import recorded_channel
from client.exchange.secret import read_secret
from client.exchange.settings import ExchangeSettings, read_exchange, service_of
from client.exchange.submissions import Submissions
from client.outbox import Outbox
from shared.secure_sum.trust import Trust
from shared.wire.borrowing_pb2_grpc import BorrowingStub


def _now() -> datetime:
    return datetime.now(UTC)


@contextmanager
def open_borrowing(
    folder: Path,
    *,
    clock: Callable[[], datetime] = _now,
    random: Callable[[int], bytes] = secrets.token_bytes,
    ways: Ways = REMOTE,
) -> Iterator[Borrowing]:
    """The desk of the lender in `folder`; files and connections are let go at the end. Nothing is
    asked of anybody yet. Raises OperatorError, also where the desk is revoked.
    """
    settings = read_exchange(folder, clock=clock)
    code, address = service_of(folder, "borrowing", "the borrowing desk")
    keep_own(settings.own)
    here = settings.own / "borrowing"
    with ExitStack() as stack:
        outbox = Outbox(settings.own / "outbox.jsonl", clock)
        stack.callback(outbox.close)
        tokens = _tokens(settings, ways, outbox, clock, random, stack)
        table = OwnTable(here, KnownTables(here, code, settings.authority))
        submissions = Submissions(here / "submissions.db")
        stack.callback(submissions.close)
        way = ways.channel(address, code, settings.transport)
        stack.callback(way.close)
        stub = BorrowingStub(recorded_channel(way, code, outbox))  # type: ignore[no-untyped-call]
        client = DeskClient(
            stub,
            code,
            settings.authority,
            submissions,
            table,
            clock=clock,
            attempts=4,
        )
        yield Borrowing(
            settings.identity,
            settings.context,
            code,
            tokens,
            table,
            client,
            read_secret(settings.own / "filed", random),
            clock=clock,
            random=random,
        )


@contextmanager
def open_asking(
    folder: Path,
    *,
    clock: Callable[[], datetime] = _now,
    random: Callable[[int], bytes] = secrets.token_bytes,
    ways: Ways = REMOTE,
) -> Iterator[Asking]:
    """The stronger mode, which needs no desk; as `open_borrowing`."""
    settings = read_exchange(folder, clock=clock)
    keep_own(settings.own)
    with ExitStack() as stack:
        outbox = Outbox(settings.own / "outbox.jsonl", clock)
        stack.callback(outbox.close)
        yield Asking(
            settings.identity,
            settings.context,
            settings.own,
            _tokens(settings, ways, outbox, clock, random, stack),
            read_secret(settings.own / "filed", random),
            Trust(settings.authority, clock),
            outbox,
            clock=clock,
            random=random,
        )


def _tokens(
    settings: ExchangeSettings,
    ways: Ways,
    outbox: Outbox,
    clock: Callable[[], datetime],
    random: Callable[[int], bytes],
    stack: ExitStack,
) -> OwnTokens:
    holders = open_holders(settings, ways, outbox, clock, random, stack)
    listed = KnownList(settings.own / "registry", settings.registry, settings.authority)

    def epochs() -> Sequence[int]:
        checkpoint = listed.checkpoint()
        return () if checkpoint is None else checkpoint.epochs

    place = settings.own / "rings" / "tokens"
    return OwnTokens(f"{settings.context}/ring", place, holders, epochs, random)
