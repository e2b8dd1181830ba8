"""A batch of tokens asked about in the stronger mode, and the total that comes back, both signed.

    asker ─ Batch ─► coordinator ─► every member          members ─ counts, masked ─► the total
    asker ◄─ BatchAnswer ─ coordinator

Invariants:
- All batches are of one size, and their tokens are in order: nothing tells which of them are of
  persons and which were drawn to fill it up.
- A batch is bound to one consortium, key epoch, day and asker by the asker's signature; its digest
  names all of it. An answer names its batch by that digest, and the lenders that are in it.
- Reading accepts exactly what writing makes (`shared.secure_sum.encoding`).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from hashlib import sha256
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from shared.borrowing.asked import ASKED_CELLS, MOST, batch_digest
from shared.borrowing.rows import ledger_of
from shared.borrowing.tokens import TOKEN_BYTES
from shared.errors import OperatorError, PeerError
from shared.identity.certificate import CODE, Identity, Member
from shared.secure_sum.encoding import read_text, text_of
from shared.secure_sum.statements import MOST_MEMBERS
from shared.secure_sum.suite import STANDARD

BATCH = 64
"""Tokens of every batch."""
LEAST_LENDERS = 4
"""Fewest lenders in a total: the asker, and three others (`terms.LEAST_OF_CLASS`)."""
NUMBERS = BATCH * ASKED_CELLS
"""What a member gives for a batch."""
OLDEST_DAYS, NEWEST_DAYS = 7, 1
"""A batch is answered so many days after its day, and before it: clocks differ."""
MOST_TEXT = 1 << 16
_MOST_CONTEXT = 64
_MOST_EPOCH = 1 << 16
_DOMAIN = b"lianfang/borrowing/asked/v1/"
Ints = NDArray[np.int64]


class _Signed:
    @cached_property
    def unsigned(self) -> Any:
        """The same without its signature: what that covers."""
        statement: Any = self
        return replace(statement, signature=b"")


@dataclass(frozen=True)
class Batch(_Signed):
    """`context`: the consortium's name; `epoch`: of the key behind the tokens; `day`: ordinal;
    `asker`: its code; `tokens`: BATCH of 32 bytes each, ascending. PeerError for anything else.
    """

    context: str
    epoch: int
    day: int
    asker: str
    certificate: bytes
    tokens: tuple[bytes, ...]
    signature: bytes = b""

    def __post_init__(self) -> None:
        known = 0 < len(self.context) <= _MOST_CONTEXT and CODE.fullmatch(self.asker)
        if not known or not 1 <= self.epoch <= _MOST_EPOCH or not 0 < self.day < 1 << 22:
            raise PeerError("a batch whose consortium, epoch, day or asker cannot be")
        if len(self.tokens) != BATCH or list(self.tokens) != sorted(set(self.tokens)):
            raise PeerError(f"a batch that is not of {BATCH} tokens in order, each once")
        if any(len(token) != TOKEN_BYTES for token in self.tokens):
            raise PeerError(f"a batch whose tokens are not {TOKEN_BYTES} bytes each")

    @property
    def ledger(self) -> bytes:
        """Under which its tokens were made, 16 bytes."""
        return ledger_of(self.context, self.epoch)

    @cached_property
    def digest(self) -> bytes:
        """32 bytes that name it: what is asked, by whom."""
        asked = batch_digest(self.ledger, self.tokens, self.day)
        return sha256(_DOMAIN + asked + self.asker.encode()).digest()


@dataclass(frozen=True)
class BatchAnswer(_Signed):
    """`batch`: its digest; `ledger`: its; `lenders`: whose numbers are in the total, in order;
    `total`: NUMBERS whole numbers of four bytes, little-endian. PeerError for anything else.
    """

    batch: bytes
    ledger: bytes
    lenders: tuple[str, ...]
    total: bytes
    certificate: bytes
    signature: bytes = b""

    def __post_init__(self) -> None:
        if len(self.batch) != 32 or len(self.ledger) != 16:
            raise PeerError("an answer that names no batch")
        few = not LEAST_LENDERS <= len(self.lenders) <= MOST_MEMBERS
        if few or list(self.lenders) != sorted(set(self.lenders)):
            raise PeerError(f"an answer of fewer than {LEAST_LENDERS} lenders, or not in order")
        if len(self.total) != 4 * NUMBERS or self.numbers.max() > MOST * len(self.lenders):
            raise PeerError("an answer of another length, or with larger numbers, than can be")

    @cached_property
    def numbers(self) -> Ints:
        """(NUMBERS,), of all lenders together."""
        return np.frombuffer(self.total, "<u4").astype(np.int64)


def made_batch(
    context: str,
    epoch: int,
    day: int,
    asker: Identity,
    tokens: Sequence[bytes],
    random: Callable[[int], bytes],
) -> Batch:
    """These tokens, at most BATCH, filled up with drawn ones and signed. OperatorError when there
    are none, or too many.
    """
    distinct = {*tokens}
    if not 1 <= len(distinct) <= BATCH:
        raise OperatorError(
            f"{len(distinct)} tokens are asked about; a batch holds 1 to {BATCH}",
            remedy="an id, a phone and a device are a token each: ask in several batches",
        )
    while len(distinct) < BATCH:
        distinct.add(random(TOKEN_BYTES))
    member = asker.member
    batch = Batch(context, epoch, day, member.code, member.certificate, tuple(sorted(distinct)))
    return _signed(batch, asker.private)


def made_answer(
    batch: Batch, lenders: Sequence[str], total: Ints, coordinator: Identity
) -> BatchAnswer:
    """The signed answer to a batch; PeerError when the total cannot be one."""
    if total.shape != (NUMBERS,) or (total < 0).any():
        raise PeerError("a total about borrowing of another length, or below nought")
    content = np.minimum(total, 2**32 - 1).astype("<u4").tobytes()
    order, certificate = tuple(sorted(lenders)), coordinator.member.certificate
    answer = BatchAnswer(batch.digest, batch.ledger, order, content, certificate)
    return _signed(answer, coordinator.private)


def check_batch(batch: Batch, asker: Member) -> None:
    """PeerError unless `asker`, who holds its certificate, signed it."""
    if asker.code != batch.asker:
        raise PeerError("a batch under another lender's name than its certificate's")
    _check(batch, asker)


def check_answer(answer: BatchAnswer, coordinator: Member, batch: bytes) -> None:
    """PeerError unless `coordinator`, who holds its certificate, signed it for this batch."""
    if answer.batch != batch:
        raise PeerError("an answer to another batch")
    _check(answer, coordinator)


def read_batch(text: bytes) -> Batch:
    """The batch with this text; PeerError. Its signature is not checked here."""
    return read_text(Batch, _bounded(text))


def read_answer(text: bytes) -> BatchAnswer:
    """The answer with this text; PeerError. Its signature is not checked here."""
    return read_text(BatchAnswer, _bounded(text))


def rows_name(context: str) -> str:
    """Names, in a lender's journal, what all batches of a consortium are answered from (64 digits):
    the same from batch to batch, day to day and key epoch to key epoch, so that all are over the
    same lenders. A person has one history of borrowing, whatever key its token is made with.
    """
    return sha256(_DOMAIN + b"rows/v2\0" + context.encode()).hexdigest()


S = TypeVar("S", Batch, BatchAnswer)


def _bounded(text: bytes) -> bytes:
    if len(text) > MOST_TEXT:
        raise PeerError(f"a batch or an answer has at most {MOST_TEXT} bytes")
    return text


def _signed(statement: S, private: bytes) -> S:
    return replace(statement, signature=STANDARD.sign(private, _covered(statement)))


def _check(statement: Batch | BatchAnswer, member: Member) -> None:
    if member.certificate != statement.certificate:
        raise PeerError("a certificate that is not the statement's own")
    STANDARD.verify(member.public, statement.signature, _covered(statement))


def _covered(statement: Batch | BatchAnswer) -> bytes:
    return _DOMAIN + text_of(statement.unsigned)
