"""A real case desk without a network, and lenders with stand-ins for the key holders."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Literal

import numpy as np

from client.exchange.holders import Asking
from client.exchange.parties import Progress, no_progress
from client.exchange.secret import Secret
from client.rings.case_tokens import CaseTokens
from client.rings.contributed import Contributed
from client.rings.edges_file import Observations, Seen
from client.rings.parties import LateError, Shared, Standing
from client.rings.week import Sent, Week
from server.cases.desk import ClosedError
from shared.cases.bulletin import Head
from shared.cases.case import Case
from shared.cases.case_tokens import Rows
from shared.cases.pages import Stage
from shared.rings.kinds import Kind
from shared.secure_sum.encoding import text_of
from shared.tokens.identifiers import Canonical
from tests.case_lenders import Desks, member, outputs
from tests.identities import fixed_random


class DownError(Exception):
    """The power went."""


@dataclass
class NearDesk:
    """What the lender `code` sees of a desk. `sent`: texts of pages; the power goes before page
    number `dies_at` is sent, or after it was taken (`answered` False).
    """

    desks: Desks
    code: str
    sent: list[bytes] = field(default_factory=list)
    dies_at: int = -1
    taken_first: bool = False

    def cases(self) -> list[Standing]:
        found = []
        for one in self.desks.desk.standings():
            stage: Stage | None = one.stage if one.stage in ("count", "edges") else None  # type: ignore[assignment]
            over: Literal["", "over", "closed"] = ""
            if one.stage in ("over", "closed"):
                over = one.stage  # type: ignore[assignment]
            found.append(Standing(one.signed, one.week, stage, one.bulletin, one.closes, over))
        return found

    def submit(self, standing: Standing, stage: Stage, text: bytes, page: bytes) -> bytes:
        dies = len(self.sent) == self.dies_at
        self.dies_at = -1 if dies else self.dies_at
        if dies and not self.taken_first:
            raise DownError
        self.sent.append(text)
        try:
            receipt = self.desks.desk.submit(self.code, standing.signed.case.id, stage, text)
        except ClosedError as error:
            raise LateError("closed", remedy="next week") from error
        if dies:
            raise DownError
        assert receipt.page == page
        return text_of(receipt)

    def told(self, case: Case, week: int) -> Shared:
        told, ids = self.desks.desk.told(self.code, case.id)
        assert told == week
        said = self.desks.desk.said_shared(self.code, case.id, week, ids)
        return Shared(said, np.frombuffer(ids, np.uint8).reshape(-1, 32))

    def heads(self, case: Case, since: int) -> list[Head]:
        return self.desks.desk.heads(case.id, since)

    def content(self, case: Case, head: Head, progress: Progress = no_progress) -> bytes:
        return self.desks.desk.content(case.id, head.version)


class Anybody:
    """Stands for certificates: the call's context is the caller's code."""

    def of(self, context: Any, roles: object) -> Any:
        return SimpleNamespace(code=context)


@dataclass
class NearHolders:
    """Outputs that stand for the holders'; `asked`: how many inputs for which purpose."""

    asked: list[tuple[str, int]] = field(default_factory=list)

    def in_parts(
        self, inputs: Sequence[bytes], asking: Asking, *, epoch: int | None = None
    ) -> Iterator[tuple[Sequence[bytes], Rows]]:
        self.asked.append((asking.purpose, len(inputs)))
        yield inputs, outputs([one.decode() for one in inputs], f"epoch {epoch}")


@dataclass
class NearLender:
    """A lender's part in a case."""

    case: Case
    desk: NearDesk
    tokens: CaseTokens
    kept: Contributed
    holders: NearHolders
    random: Callable[[int], bytes]
    folder: Path
    listed: set[str] = field(default_factory=set)

    def saw(self, *seen: tuple[str, Kind, str, int]) -> int:
        """Keep observations: person, kind, thing, week; how many are new."""
        people = [*dict.fromkeys(one[0] for one in seen)]
        things = [*dict.fromkeys(one[2] for one in seen)]
        rows = [
            Seen(people.index(who), things.index(what), kind, week, 0)
            for who, kind, what, week in seen
        ]
        found = Observations(
            tuple(Canonical("resident_id", who) for who in people),
            tuple(f"ref {who}" for who in people),
            tuple(Canonical("device", what) for what in things),
            tuple(rows),
        )
        subjects = self.tokens.subjects(self.case, found.people)
        attributes = self.tokens.attributes(self.case, found.attributes)
        return self.kept.add(found, subjects, attributes)

    def go_on(self) -> Sent:
        """What is due now."""
        (standing,) = [one for one in self.desk.cases() if one.signed.case == self.case]
        identity = member(self.desk.code)
        week = Week(self.desk, self.tokens, self.kept, identity, self.random)
        return week.go_on(
            standing,
            lambda edges: {
                one.person.token for one in edges if one.person.identifier.value in self.listed
            },
        )

    @property
    def kept_folder(self) -> Path:
        """Beside the records of the case: a folder for another lender's."""
        return self.folder / "other"

    def token(self, person: str) -> bytes:
        """A person's token."""
        return self.tokens.subjects(self.case, [Canonical("resident_id", person)])[0].tobytes()


@contextmanager
def lender(folder: Path, desks: Desks, case: Case, code: str) -> Iterator[NearLender]:
    """Over a folder, which may have been there before."""
    random, holders = fixed_random(f"{code} {folder}"), NearHolders()
    tokens = CaseTokens("Five lenders", folder / "tokens", holders, random)  # type: ignore[arg-type]
    folder.mkdir(exist_ok=True)
    kept = Contributed(folder / case.id.hex(), Secret(bytes(range(32))), random)
    try:
        yield NearLender(case, NearDesk(desks, code), tokens, kept, holders, random, folder)
    finally:
        kept.close()
