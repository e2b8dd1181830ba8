"""The borrowing desk: what is acknowledged, erased and refused, and what a copy of it shows."""

from __future__ import annotations

import random
import sqlite3
from collections.abc import Iterator
from dataclasses import replace
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from server.apart import EVENTS, SHARE, check_without
from server.borrowing import publishing
from server.borrowing.desk import BorrowingDesk, RefusedError, Terms
from server.borrowing.service import serve
from server.borrowing.settings import read_settings
from server.borrowing.store import FILE
from server.cli import main
from server.demo.identities import people
from shared.blacklist.checkpoint import ForkError
from shared.blacklist.events import signed
from shared.blacklist.receipt import Receipt
from shared.borrowing.pages import MOST_ROWS, ROW, ContributionPage, read_page
from shared.borrowing.rows import ROW_BYTES, TAG_BYTES, ledger_of, tags_of
from shared.borrowing.table import read_head
from shared.borrowing.terms import IdKind, LenderClass
from shared.borrowing.tokens import subject_tokens
from shared.errors import OperatorError, PeerError
from shared.secure_sum.encoding import text_of
from shared.tokens.identifiers import canonical, token_input
from tests.blacklist_members import AUTHORITY, member
from tests.borrowing_members import (
    CONTEXT,
    DESK,
    Borrowers,
    Lender,
    applied,
    borrowers,
    output_of,
)
from tests.identities import NOW
from tests.server.keyholder.key_holders import make_folder

PEOPLE = people(60, seed=11)


@pytest.fixture
def four(tmp_path: Path) -> Iterator[Borrowers]:
    with borrowers(tmp_path) as made:
        yield made


def told(made: Borrowers, people_of: Any = lambda code: PEOPLE[:3]) -> None:
    """Everybody tells of some people."""
    for code, lender in made.lenders.items():
        lender.contribute(
            [applied(one, made.day(1), f"A{at}") for at, one in enumerate(people_of(code))]
        )


def rows_of(made: Borrowers) -> list[tuple[Any, ...]]:
    """Events as they lie in the desk's file."""
    with made.desk.store.transaction() as connection:
        return connection.execute("SELECT * FROM events").fetchall()


def files_of(made: Borrowers) -> bytes:
    """All bytes that whoever takes the desk's folder has, its write-ahead log included."""
    return b"".join(path.read_bytes() for path in sorted(made.desk.folder.glob("*")))


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
        patch.setattr(BorrowingDesk, "_receipt", killed)
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


def test_after_its_term_nothing_of_an_event_is_left_in_any_file(four: Borrowers) -> None:
    """180 days after it happened it still answers; a day later its token is in no byte of the
    desk's files, and nobody is told of it.
    """
    told(four, lambda code: PEOPLE[:1])
    token = token_of(PEOPLE[0].resident_id)
    four.publish(days=179)
    assert token in files_of(four)
    assert four["L01"].check(PEOPLE[0]).answers[IdKind.ID] is not None
    four.publish(days=1)
    assert token not in files_of(four)
    assert rows_of(four) == []
    assert four.desk.desk.latest().rows == 0  # type: ignore[union-attr]
    assert four["L01"].check(PEOPLE[0]).answers[IdKind.ID] is None


def token_of(number: str) -> bytes:
    """A person's subject token, as who has the key holders' output makes it."""
    one = canonical("resident_id", number, today=NOW.date())
    output = output_of(token_input(f"{CONTEXT}/ring", one))
    outputs = np.frombuffer(output, np.uint8).reshape(1, -1)
    return subject_tokens(ledger_of(CONTEXT, 1), outputs)[0].tobytes()


def guesses(number: str) -> set[bytes]:
    """What a thief who knows all of this project, and an identifier, can make of it without the
    holders' key: hashes of it, alone, as it is asked, and as an output would be hashed.
    """
    one = canonical("resident_id", number, today=NOW.date())
    texts = [number.encode(), one.value.encode(), token_input(f"{CONTEXT}/ring", one)]
    texts.append(token_input(CONTEXT, one))
    found = {sha256(text).digest() for text in texts}
    for text in texts:
        plain = np.frombuffer(sha256(text).digest() * 2, np.uint8).reshape(1, -1)
        found.add(subject_tokens(ledger_of(CONTEXT, 1), plain)[0].tobytes())
    return found


def test_a_stolen_database_gives_no_hit_to_a_dictionary(four: Borrowers) -> None:
    """Every person of it is in the dictionary: 0 hits in database and table; with the key holders'
    outputs (the control) every one of them is found in both.
    """
    told(four, lambda code: PEOPLE[:20])
    four.publish()
    stolen = files_of(four)
    head = four.desk.desk.latest()
    assert head is not None
    table = np.asarray(four.desk.desk.table(head.version)).reshape(-1, ROW_BYTES)
    tags = {row.tobytes() for row in table[:, :TAG_BYTES]}

    def found(names: set[bytes]) -> int:
        named = np.frombuffer(b"".join(names), np.uint8).reshape(-1, 32)
        derived = {row.tobytes() for row in tags_of(named, head.salt)}
        return sum(name in stolen for name in names) + len(derived & tags)

    assert sum(found(guesses(one.resident_id)) for one in PEOPLE[:20]) == 0
    assert sum(found({token_of(one.resident_id)}) for one in PEOPLE[:20]) == 40


def made_by(four: Borrowers, salt: bytes, *, as_told: bool = False) -> tuple[np.ndarray, ...]:
    """Tags (r, 32) of a version with this salt in the order of publication, or lender after lender,
    and the lender each belongs to, -1 for general ones: what only the desk knows.
    """
    with four.desk.store.transaction() as connection:
        there = publishing.Published.read(connection, four.desk.terms.classes)
    records = publishing.records_of(there.events, four.clock().date().toordinal(), there.classes)
    tags = tags_of(publishing.names_of(there, records), salt)
    order = np.lexsort([records.lender] if as_told else tags.T[::-1])
    return tags[order], records.lender[order]


def accuracy(seen: np.ndarray, lender: np.ndarray) -> float:
    """How often the lender of an own row is guessed from what is seen of it, (r,): by its nearest
    neighbours among every other row, whose lenders are known.
    """
    own = np.flatnonzero(lender >= 0)
    learn, ask = own[::2], own[1::2]
    near = np.abs(seen[ask][:, None] - seen[learn][None]).argsort(axis=1)[:, :5]
    guessed = [np.bincount(lender[learn][row]).argmax() for row in near]
    return float(np.mean(np.array(guessed) == lender[ask]))


def test_rows_do_not_say_which_lender_knows_whom(four: Borrowers) -> None:
    """A classifier on a row's place, or its tag, guesses no better than 1/N + 5 points; with rows
    lender after lender (the control) it is right. All rows have one size.
    """
    draw = random.Random(2)
    told(four, lambda code: draw.sample(PEOPLE, 40))
    versions = [made_by(four, bytes([n]) * 32) for n in range(1, 13)]
    by_place = [accuracy(np.arange(len(tags)), lender) for tags, lender in versions]
    by_tag = [accuracy(tags[:, 1].astype(int), lender) for tags, lender in versions]
    assert max(np.mean(by_place), np.mean(by_tag)) <= 1 / 4 + 0.05
    tags, lender = made_by(four, bytes(32), as_told=True)
    assert accuracy(np.arange(len(tags)), lender) > 0.9


def test_nobody_sees_which_rows_change_together(four: Borrowers) -> None:
    """Nothing of one version is in the next, so rows of one subject cannot be joined by the days
    on which they change; with one salt for all (the control) the rows that change are one
    subject's, and as many as lenders know it.
    """
    told(four, lambda code: PEOPLE[:30])
    four.publish()
    versions = []
    for _ in range(2):
        head = four.desk.desk.latest()
        assert head is not None
        rows = np.array(four.desk.desk.table(head.version)).reshape(-1, ROW_BYTES)
        versions.append(rows)
        four["L01"].contribute([applied(PEOPLE[3], four.day(0), "new")])
        four.publish()
    first, second = ({row[:TAG_BYTES].tobytes() for row in rows} for rows in versions)
    assert first & second == set()
    assert {row.tobytes()[TAG_BYTES:] for row in versions[0]}.isdisjoint(
        row.tobytes()[TAG_BYTES:] for row in versions[1]
    )
    before = {tag.tobytes() for tag in made_by(four, bytes(32))[0]}
    for code in ("L02", "L03"):
        four[code].contribute([applied(PEOPLE[40], four.day(0), "B")])
    after = {tag.tobytes() for tag in made_by(four, bytes(32))[0]}
    assert len(after - before) == 2 * 3  # the control: two lenders and the general one


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


def test_one_lender_cannot_fill_the_desk(tmp_path: Path) -> None:
    """Beyond its share a page is refused by name; others go on."""
    with borrowers(tmp_path, terms=Terms(events=2)) as made:
        made["L01"].contribute([applied(PEOPLE[0], made.day(1), "A")])
        refused = made["L01"].contribute([applied(PEOPLE[1], made.day(1), "B")]).refused
        assert [one.refusal.split(":")[0] for one in refused if one.refusal] == ["full"]
        assert not made["L02"].contribute([applied(PEOPLE[0], made.day(1), "A")]).refused


def test_a_damaged_file_is_not_served(four: Borrowers) -> None:
    """Flipped bytes in a page of the database: told at the start, with what to do."""
    told(four, lambda code: PEOPLE)
    four.desk.store.clean()
    four.desk.store.close()
    path = four.desk.folder / FILE
    content = bytearray(path.read_bytes())
    content[4096:8192] = bytes(4096)
    path.write_bytes(content)
    with pytest.raises(OperatorError, match="nothing was answered"):
        four.desk.start()
    path.write_bytes(b"")
    four.desk.start()


def test_desk_and_key_share_are_kept_apart(four: Borrowers, tmp_path: Path) -> None:
    """A desk with a share in its folder is refused; a key holder with the desk's file, whatever its
    name, too; without it (the control) it is not.
    """
    share = make_folder(tmp_path / "share", "K1", ("K1", "K2", "K3"))
    with pytest.raises(OperatorError, match="share of the key"):
        serve(share, "127.0.0.1:0", profile="production")
    other = tmp_path / "other"
    other.mkdir()
    check_without(EVENTS, "production", other, modules=())
    four.desk.store.clean()
    (other / "harmless").write_bytes((four.desk.folder / FILE).read_bytes())
    with pytest.raises(OperatorError, match="told of borrowing"):
        check_without(EVENTS, "production", other, modules=())
    with pytest.raises(OperatorError, match=r"server\.borrowing"):
        check_without(EVENTS, "production", tmp_path / "none", modules=("server.borrowing",))
    check_without(SHARE, "production", other, modules=())


@pytest.mark.parametrize(
    ("text", "match"),
    [
        ("contributors = 2\n", "fewer than 4"),
        ("at_once = true\n", "at once"),
        ("contributers = 4\n", "cannot be used"),
        ("[classes]\nL01 = 'banc'\n", "cannot be used"),
        ("classes = 4\n", "cannot be used"),
        ("profile = 'none'\n", "cannot be used"),
        ("contributors = 'four'\n", "cannot be used"),
        ("=\n", "cannot be used"),
    ],
)
def test_settings_that_are_misspelt_or_weaker_are_refused(
    tmp_path: Path, text: str, match: str
) -> None:
    """In production; the demo may have tables at once."""
    (tmp_path / "borrowing.toml").write_text(text)
    with pytest.raises(OperatorError, match=match):
        read_settings(tmp_path)
    (tmp_path / "borrowing.toml").write_text('profile = "demo"\nat_once = true\n')
    assert read_settings(tmp_path).terms.at_once


def test_an_error_of_the_disk_is_told_and_nothing_is_said_to_be_kept(four: Borrowers) -> None:
    """A write that fails: no receipt, and the lender's page leaves when the disk is well."""
    lender: Lender = four["L01"]

    def full(*_: object) -> None:
        raise sqlite3.OperationalError("database or disk is full")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(BorrowingDesk, "_member", full)
        with pytest.raises(OperatorError, match="cannot be reached"):
            lender.contribute([applied(PEOPLE[0], four.day(1), "A")])
    assert rows_of(four) == []
    assert lender.borrowing._client.send_pending() == 1
    assert len(rows_of(four)) == 2


def test_a_desks_folder_is_made_by_command(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """With the class of each lender; what is no class is refused with the words there are."""
    words = ["borrowing", "init", str(tmp_path / "d1"), "--code", "D1"]
    words += ["--profile", "demo", "--lender"]  # key holders are in this process, too
    assert main([*words, "L01=banc"]) == 2
    assert "the classes are bank, nbank, cons" in " ".join(capsys.readouterr().err.split())
    assert main([*words, "L01=bank", "--lender", "L.2=micro"]) == 0
    classes = read_settings(tmp_path / "d1").terms.classes
    assert classes == {"L01": LenderClass.BANK, "L.2": LenderClass.MICRO}
