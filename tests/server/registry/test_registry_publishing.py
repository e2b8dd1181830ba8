"""What members receive, and when; on both databases."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import select

from server.registry import tables
from server.registry.publishing import Batches
from shared.blacklist.checkpoint import ContentReader, check_follows, read_checkpoint
from shared.blacklist.entry import SubjectRole
from shared.blacklist.events import Outcome, is_stripped, read_event
from shared.blacklist.rows import CHANGE_BYTES, Changes, Flag, Row, pages_of, read_pages
from tests.blacklist_members import AUTHORITY, REGISTRY, TODAY, Lender, tag_of, token
from tests.list_registry import Served


def tag(subject: str, epoch: int = 1) -> bytes:
    """Of a resident's number."""
    return tag_of(f"resident_id|{subject}", epoch)


def flags(served: Served) -> dict[bytes, Flag]:
    """Flags by tag."""
    return {row.tag: row.flags for row in served.rows()}


def test_only_active_and_disputed_entries_answer(served: Served) -> None:
    """Pending, removed, corrected, suspended and expired ones do not."""
    served.take(served.a, served.a.file(served.a.entry("pending")))
    names = ("kept", "removed", "corrected", "late")
    filed = dict(zip(names, served.active(served.a, *names), strict=True))
    entry = {name: one.entry.entry_id for name, one in filed.items()}
    assert set(flags(served)) == set()  # before the first version
    served.publish()
    assert set(flags(served)) == {tag(name) for name in names}
    served.take(served.a, served.a.withdraw(entry["removed"]))
    served.take(served.b, *[served.b.dispute(filed[name]) for name in ("corrected", "late")])
    served.publish()
    assert flags(served)[tag("late")] == Flag.DISPUTED
    served.take(served.a, served.a.resolve(entry["corrected"], Outcome.CORRECTED))
    served.clock.forward(days=21)
    served.publish()
    assert set(flags(served)) == {tag("kept")}
    served.clock.forward(days=5 * 365)
    assert served.publish().rows == 0


def test_phone_rows_leave_after_a_year_and_the_rest_stays(served: Served) -> None:
    """Although nobody files anything."""
    both = (token("p"), token("p", "phone"))
    served.active(served.a, "p", tokens=both)
    assert served.publish().rows == 2
    served.clock.forward(days=340)
    assert served.publish().rows == 1
    assert served.rows()[0].tag == tag("p")
    served.restart()


def test_every_version_follows_and_gives_the_rows(served: Served) -> None:
    """Replaying all changes from nothing, each taken while it is new (those of an erased entry go),
    gives the snapshot, whose digest is signed.
    """
    versions = []
    for number in range(4):
        filed = served.active(served.a, f"s{number}", f"t{number}")
        served.publish()
        versions += served.registry.versions_since(len(versions))
        if number % 2:
            served.take(served.a, served.a.withdraw(filed[0].entry.entry_id))
            served.take(served.b, served.b.dispute(filed[1]))
            served.publish()
            versions += served.registry.versions_since(len(versions))
        served.clock.forward(days=1)
    rows: dict[bytes, list[Row]] = {}
    before = None
    for version in versions:
        checkpoint = read_checkpoint(version.checkpoint, REGISTRY, AUTHORITY.certificate)
        assert version.changes is not None
        changes = read_pages(pages_of(version.changes))
        assert changes.digest() == checkpoint.changes
        for gone in changes.dropped:
            del rows[gone]
        for row in changes.added:
            rows.setdefault(row.tag, []).append(row)
        if before is not None:
            check_follows(before, checkpoint)
        before = checkpoint
    content = ContentReader()
    for row in served.rows():
        content.take(row)
    assert before is not None
    assert content.digest() == before.content
    assert sorted(row for some in rows.values() for row in some) == served.rows()


def test_a_contributor_has_one_row_under_a_tag(served: Served) -> None:
    """However often it files the subject, it counts once; the worst entry shows. Two contributors
    have two rows (control).
    """
    served.active(served.a, "s", severity=1)
    worst = served.active(served.a, "s", severity=2)[0]
    payee = (token("s", role=SubjectRole.PAYEE),)
    served.active(served.a, "s", tokens=payee, severity=2)
    served.publish()
    assert [row.sealed for row in served.rows()] == [worst.sealed[0]]
    served.active(served.b, "s")
    assert served.publish().rows == 2
    served.take(served.a, served.a.withdraw(worst.entry.entry_id))
    assert served.publish().rows == 2


def test_severity_three_carries_the_registrys_word(served: Served) -> None:
    """And nothing is published before the second institution approved."""
    filed = served.a.file(served.a.entry("s", severity=3))
    served.take(served.a, filed, served.a.approve(filed))
    assert served.publish().rows == 0
    served.take(served.b, served.b.approve(filed))
    served.publish()
    assert flags(served) == {tag("s"): Flag.CORROBORATED}


@pytest.fixture
def patient(url: str) -> Iterator[Served]:
    """A registry that batches: daily, from three contributors, a week at most."""
    served = Served(url, batches=Batches())
    served.found()
    yield served
    served.close()


def test_filings_wait_for_others_but_a_dispute_does_not(patient: Served) -> None:
    """One lender's filing is not published alone before a week is over; a dispute shows at once."""
    filed = patient.active(patient.a, "a")
    patient.publish()
    patient.clock.forward(days=2)
    assert patient.publish().rows == 0
    patient.active(patient.b, "b")
    patient.active(patient.c, "c")
    assert patient.publish().rows == 3
    patient.active(patient.b, "b2")
    patient.take(patient.c, patient.c.dispute(filed[0]))
    assert patient.publish().rows == 3
    assert flags(patient)[tag("a")] == Flag.DISPUTED
    patient.clock.forward(days=7)
    assert patient.publish().rows == 4
    patient.restart()


def test_a_version_comes_daily_even_if_nothing_is_new(served: Served) -> None:
    """So that members can tell silence from suppression."""
    first = served.publish()
    assert served.publish() == first
    served.clock.forward(days=1)
    second = served.publish()
    check_follows(first, second)
    assert second.changes == Changes().digest()


def test_tokens_are_erased_when_an_entry_ends(served: Served) -> None:
    """From the log, too; the log stays whole, and tokens of live entries stay."""
    filed = served.active(served.a, "gone", "here")
    served.publish()
    served.take(served.a, served.a.withdraw(filed[0].entry.entry_id))
    served.publish()
    with served.database.reading() as connection:
        texts = connection.scalars(select(tables.events.c.text)).all()
        kept = connection.scalars(select(tables.tokens.c.tag)).all()
    assert kept == [tag("here")]
    assert sum(is_stripped(read_event(text)) for text in texts) == 1
    served.restart()


def test_old_changes_are_let_go_of(url: str) -> None:
    """Then their versions have only a checkpoint: members take a snapshot."""
    served = Served(url, batches=Batches(seconds=0, contributors=1, kept=2))
    served.found()
    for number in range(4):
        served.active(served.a, f"s{number}")
        served.publish()
    versions = list(served.registry.versions_since(0))
    assert [version.changes is None for version in versions] == [True, True, False, False]
    assert all(len(one) == CHANGE_BYTES for one in versions[3].changes or [])
    served.restart()
    served.close()


def test_both_epochs_answer_until_the_old_one_retires(served: Served) -> None:
    """A rotation interrupted by a restart loses nothing: before, during and after it every subject
    is found in at least one open epoch.
    """
    subjects = [f"s{number}" for number in range(6)]
    filed = {
        lender.code: [served.active(lender, one)[0] for one in part]
        for lender, part in ((served.a, subjects[:3]), (served.b, subjects[3:]))
    }
    served.publish()
    served.open_epoch(2)
    for lender in (served.a, served.b):
        for place, one in enumerate(filed[lender.code]):
            subject = subjects[place + (3 if lender is served.b else 0)]
            retire = served.a.retire_epoch(1)
            assert served.refused(served.a, retire) == "uncovered"
            served.take(lender, lender.refile(one.entry, (token(subject, epoch=2),)))
            served.publish()
            there = {row.tag for row in served.rows()}
            assert all({tag(one, 1), tag(one, 2)} & there for one in subjects)
        served.restart()
    served.retire_epoch(1)
    checkpoint = served.publish()
    assert checkpoint.epochs == (2,)
    assert {row.tag for row in served.rows()} == {tag(one, 2) for one in subjects}
    served.restart()


def test_entries_end_with_their_dates_not_with_the_clock_of_a_member(served: Served) -> None:
    """A suspicion is gone after 180 days; nobody has to do anything."""
    suspicion = {
        "list_class": "fraud_suspected",
        "confidence": "probable",
    }
    lender: Lender = served.a
    kinds = lender.entry("x")
    entry = replace(
        kinds,
        list_class=type(kinds.list_class)(suspicion["list_class"]),
        confidence=type(kinds.confidence)(suspicion["confidence"]),
    )
    filed = lender.file(entry)
    served.take(lender, filed, lender.approve(filed))
    assert entry.expires_at == TODAY + timedelta(days=180)
    served.clock.forward(days=179)
    assert served.publish().rows == 1
    served.clock.forward(days=1)
    assert served.publish().rows == 0


def test_a_clock_that_was_ahead_and_is_put_back_damages_nothing(served: Served) -> None:
    """A version keeps the later time; what is published after it has that day, also after a
    restart that compares everything.
    """
    served.clock.forward(days=400)
    ahead = served.publish()
    served.clock.forward(days=-400)
    both = (token("p"), token("p", "phone"))
    served.active(served.a, "p", tokens=both)  # its phone would have left by that time
    assert served.publish().at == ahead.at
    assert [row.tag for row in served.rows()] == [tag("p")]
    served.restart()
