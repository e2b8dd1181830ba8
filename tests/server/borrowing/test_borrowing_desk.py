"""The borrowing desk: what is acknowledged, counted once and refused."""

from __future__ import annotations

import random
from dataclasses import replace
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from server.borrowing import publishing
from server.borrowing.desk import RefusedError
from shared.blacklist.checkpoint import ForkError
from shared.blacklist.events import signed
from shared.blacklist.receipt import Receipt
from shared.borrowing.pages import MOST_ROWS, ROW, ContributionPage, read_page
from shared.borrowing.table import read_head
from shared.borrowing.terms import IdKind
from shared.errors import OperatorError, PeerError
from shared.secure_sum.encoding import text_of
from tests.blacklist_members import AUTHORITY, member
from tests.borrowing_members import DESK, Borrowers, applied
from tests.server.borrowing.told_desk import PEOPLE, rows_of, told


def page_of(code: str = "L01", **other: Any) -> ContributionPage:
    """A page of one row."""
    row = np.zeros(1, ROW)
    row["subject"], row["day"] = 7, other.pop("day", 741_000)
    fields: dict[str, Any] = {
        "registry": DESK,
        "event_id": sha256(b"a page").digest()[:16],
        "member": code,
        "certificate": member(code).member.certificate,
        "epoch": 1,
        "own": sha256(b"own").digest(),
        "retract": False,
        "rows": row.tobytes(),
    }
    return signed(ContributionPage(**fields | other), member(code).private)


def test_a_page_told_twice_is_answered_alike_and_counts_once(four: Borrowers) -> None:
    """The same bytes have the same receipt, byte for byte, also after a restart."""
    text = text_of(page_of())
    (first,) = four.desk.desk.submit("L01", [text])
    (again,) = four.desk.desk.submit("L01", [text])
    four.desk.restart()
    (later,) = four.desk.desk.submit("L01", [text])
    assert isinstance(first, Receipt)
    assert text_of(first) == text_of(again) == text_of(later)
    assert len(rows_of(four)) == 1


def test_the_same_export_given_again_changes_nothing(four: Borrowers) -> None:
    """Other pages, the same events: the desk's events are the same; a new number is a new one."""
    lines = [applied(one, four.day(1), f"A{at}") for at, one in enumerate(PEOPLE[:5])]
    four["L01"].contribute(lines)
    before = rows_of(four)
    four["L01"].contribute(lines)
    assert rows_of(four) == before
    four["L01"].contribute([applied(PEOPLE[0], four.day(1), "another")])
    assert len(rows_of(four)) == len(before) + 2


_DESK = member(DESK, "desk")


_OF_THE_DESK = replace(page_of(DESK), certificate=_DESK.member.certificate)


@pytest.mark.parametrize(
    ("peer", "page", "reason"),
    [
        ("L02", page_of("L01"), "not_yours"),
        ("L01", page_of(registry="ELSE"), "registry"),
        ("L01", replace(page_of(), signature=bytes(64)), "malformed"),
        ("L01", page_of(certificate=member("L02").member.certificate), "malformed"),
        (DESK, signed(_OF_THE_DESK, _DESK.private), "malformed"),
        ("L01", page_of(day=742_000), "day"),
        ("L09", page_of("L09"), "class"),
    ],
)
def test_a_page_that_is_not_its_senders_or_of_a_day_to_come_is_refused(
    four: Borrowers, peer: str, page: ContributionPage, reason: str
) -> None:
    """Each with its reason, and nothing is kept; the honest page is the control."""
    (refused,) = four.desk.desk.submit(peer, [text_of(page)])
    assert isinstance(refused, RefusedError)
    assert refused.reason == reason
    assert rows_of(four) == []
    (taken,) = four.desk.desk.submit("L01", [text_of(page_of())])
    assert isinstance(taken, Receipt)


def test_a_name_cannot_be_given_to_other_content(four: Borrowers) -> None:
    """Another page under a name that was answered is refused, and changes nothing."""
    four.desk.desk.submit("L01", [text_of(page_of())])
    before = rows_of(four)
    (refused,) = four.desk.desk.submit("L01", [text_of(page_of(epoch=2))])
    assert isinstance(refused, RefusedError)
    assert refused.reason == "other_content"
    assert rows_of(four) == before


def test_killed_between_writing_and_answering_nothing_is_lost_or_doubled(four: Borrowers) -> None:
    """The answer is lost after the write: the same bytes leave with the next sync, and count
    once. Killed before the write: nothing is there, and nothing was said to be.
    """
    lender = four["L01"]
    lender.stub.lost = 1
    with pytest.raises(OperatorError, match="cannot be reached"):
        lender.contribute([applied(PEOPLE[0], four.day(1), "A")])
    assert len(rows_of(four)) == 2
    sent = lender.stub.sent[-1]
    four.desk.restart()
    assert lender.borrowing._client.send_pending() == 1
    assert lender.stub.sent[-1] == sent
    assert len(rows_of(four)) == 2
    assert lender.borrowing._client.send_pending() == 0

    def killed(*_: object) -> None:
        raise KeyboardInterrupt

    before = rows_of(four)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Receipt, "signed", killed)
        with pytest.raises(KeyboardInterrupt):
            lender.contribute([applied(PEOPLE[1], four.day(1), "B")])
    four.desk.restart()
    assert rows_of(four) == before
    assert lender.borrowing._client.send_pending() == 1
    assert len(rows_of(four)) == len(before) + 2


def test_killed_between_rows_and_head_a_version_is_made_once(four: Borrowers) -> None:
    """Rows without a head are not handed out; after a restart the version is made, and followed."""
    told(four)
    four.publish()

    def killed(*_: object) -> None:
        raise KeyboardInterrupt

    four.clock.forward(days=1)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(publishing, "rows_digest", killed)
        with pytest.raises(KeyboardInterrupt):
            four.desk.desk.tick()
    four.desk.restart()
    assert len(four.desk.desk.heads(1)) == 0
    assert four["L01"].borrowing.sync()[1].head.version == 1
    assert four.desk.desk.tick() is not None
    assert four["L01"].borrowing.sync()[1].head.version == 2
    assert four["L01"].check(PEOPLE[0]).answers[IdKind.ID] is not None
    assert [path.name for path in four.desk.folder.glob("table-*")] == ["table-2.bin"]


def test_a_fork_is_refused_and_kept(four: Borrowers, tmp_path: Path) -> None:
    """A desk that signs two tables of one version is refused by whoever has the other, with both
    signed heads on disk and the table as it was.
    """
    told(four)
    four.publish()
    lender, desk = four["L01"], four.desk
    known = lender.table.known.checkpoint()
    with desk.store.transaction() as connection:
        connection.execute("DELETE FROM heads")
    four.clock.forward(days=1)
    desk.restart()
    desk.desk.tick()
    four.clock.forward(days=1)
    desk.desk.tick()
    with pytest.raises(ForkError) as fork:
        lender.borrowing.sync()
    assert "evidence" in fork.value.remedy
    assert len(lender.table.known.evidence()) == 1
    assert lender.table.known.checkpoint() == known
    assert lender.check(PEOPLE[0]).answers[IdKind.ID] is not None


def test_messages_that_were_changed_are_refused_and_change_nothing(four: Borrowers) -> None:
    """300 changed pages, heads and tables: a refusal or PeerError each, and no other error."""
    told(four)
    four.publish()
    before, draw = rows_of(four), random.Random(1)
    page, head = text_of(page_of()), four.desk.desk.heads(0)[0]
    table = np.asarray(four.desk.desk.table(1)).tobytes()
    signed_head = read_head(head, DESK, AUTHORITY.certificate)
    for number in range(100):
        (answer,) = four.desk.desk.submit("L01", [changed(page, draw)])
        assert isinstance(answer, RefusedError)
        with pytest.raises(PeerError):
            read_head(changed(head, draw), DESK, AUTHORITY.certificate)
        with pytest.raises(PeerError):
            signed_head.check_rows(changed(table, draw))
        with pytest.raises(PeerError):
            read_page(draw.randbytes(number))
    assert rows_of(four) == before


def changed(text: bytes, draw: random.Random) -> bytes:
    """A byte changed, left out or put in, or the end cut off."""
    at, kind = draw.randrange(len(text)), draw.randrange(4)
    one = bytes([text[at] ^ 1 << draw.randrange(8)])
    return text[:at] + (one + text[at + 1 :], text[at + 1 :], one + text[at:], b"")[kind]


@pytest.mark.parametrize("count", [0, MOST_ROWS + 1])
def test_a_page_has_a_bounded_number_of_rows(count: int) -> None:
    """None, or too many: no page; as many as there may be: one."""
    row = np.zeros(1, ROW)
    row["subject"], row["day"] = 7, 741_000
    with pytest.raises(PeerError, match="rows"):
        page_of(rows=row.tobytes() * count)
    assert len(page_of(rows=row.tobytes() * MOST_ROWS).table()) == MOST_ROWS


def test_room_is_counted_as_by_the_file_through_tellings_retractions_and_erasure(
    four: Borrowers,
) -> None:
    """The count that is kept in step is that of the table, whatever was told twice or taken back;
    counted each time (control) it is the same, by reading all rows.
    """
    desk = four.desk.desk

    def sent(number: int, days: list[int], **other: Any) -> None:
        rows = np.zeros(len(days), ROW)
        rows["subject"][:, 0], rows["day"] = 1 + np.arange(len(days)), days
        name = sha256(f"page {number}".encode()).digest()[:16]
        page = page_of(event_id=name, rows=rows.tobytes(), **other)
        (answer,) = desk.submit("L01", [text_of(page)])
        assert isinstance(answer, Receipt)

    today = four.clock().date().toordinal()
    for number, (days, taken_back) in enumerate(
        [([today] * 9, False), ([today] * 12, False), ([today] * 4, True), ([today] * 4, True)]
    ):
        sent(number, days, retract=taken_back)
        with four.desk.store.transaction() as run:
            (member,) = run.execute("SELECT number FROM members WHERE code = 'L01'").fetchone()
            (held,) = run.execute("SELECT count(*) FROM events").fetchone()
        assert desk._held == {member: held}
    four.clock.forward(days=1)
    desk.tick()
    assert desk._held == {}


def test_pages_of_nothing_are_bounded_a_day(four: Borrowers) -> None:
    """Each page is kept for good, a retraction of nothing too; the next day has room again, and
    another lender has its own. Without the bound (control) all are taken.
    """
    desk = four.desk.desk

    def answers(code: str = "L01") -> list[bool]:
        found = []
        for _ in range(4):
            answers.number += 1  # type: ignore[attr-defined]
            name = answers.number.to_bytes(16, "big")  # type: ignore[attr-defined]
            page = page_of(code, event_id=name, retract=True)
            (answer,) = desk.submit(code, [text_of(page)])
            found.append(isinstance(answer, Receipt))
        return found

    answers.number = 0  # type: ignore[attr-defined]
    assert answers() == [True] * 4
    desk._terms = replace(desk._terms, pages=6)
    assert answers() == [True, True, False, False]
    assert answers("L02") == [True] * 4
    four.clock.forward(days=1)
    assert answers() == [True] * 4
