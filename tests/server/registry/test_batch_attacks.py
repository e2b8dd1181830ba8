"""What waits for the batch comes out early for nobody; on both databases."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from server.registry import publishing, sql_state
from server.registry.listed import listed
from server.registry.publishing import Batches
from shared.blacklist.events import File
from shared.blacklist.rows import Flag
from shared.blacklist.transitions import LIVE
from tests.list_registry import Served


@pytest.fixture
def patient(url: str) -> Iterator[Served]:
    """A registry that batches: daily, from three contributors, a week at most."""
    served = Served(url, batches=Batches())
    served.found()
    served.publish()
    yield served
    served.close()


def files_without_approval(served: Served) -> None:
    """One member's filing waits; two others file what they never approve."""
    served.active(served.a, "one")
    for other in (served.b, served.c):
        served.take(other, other.file(other.entry(f"junk {other.code}")))
    served.clock.forward(days=1)
    served.publish()


def test_what_nobody_approved_makes_no_batch(patient: Served) -> None:
    """Nor does what is filed twice; two rows of others do (control)."""
    files_without_approval(patient)
    assert patient.rows() == []
    patient.active(patient.b, "two")
    patient.active(patient.b, "two", severity=1)
    patient.publish()
    assert patient.rows() == []
    patient.active(patient.c, "three")
    assert patient.publish().rows == 3
    patient.restart()


def test_a_row_that_will_not_be_shown_makes_no_batch(patient: Served) -> None:
    """A contributor that files less about whom it has on the list adds nothing to a batch."""
    for lender in (patient.a, patient.b, patient.c):
        patient.active(lender, f"subject of {lender.code}")
    patient.clock.forward(days=1)
    assert patient.publish().rows == 3
    patient.active(patient.a, "new")
    for lender in (patient.b, patient.c):
        patient.active(lender, f"subject of {lender.code}", severity=1)
    patient.clock.forward(days=1)
    assert patient.publish().rows == 3
    patient.clock.forward(days=6)
    assert patient.publish().rows == 4
    patient.restart()


def test_it_would_without_a_look_at_the_rows(
    patient: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Control: filings that touch at once, and are counted unseen, bring the one row out alone."""
    monkeypatch.setattr(sql_state, "SHOWN", LIVE)
    monkeypatch.setattr(publishing, "drop_idle", lambda *_: None)
    files_without_approval(patient)
    assert len(patient.rows()) == 1


def comes_and_goes(served: Served, subject: str) -> None:
    """A member has an entry about the subject on the list for a moment."""
    (filed,) = served.active(served.b, subject)
    served.take(served.b, served.b.withdraw(filed.entry.entry_id))
    pending = served.b.file(served.b.entry(subject))
    served.take(served.b, pending, served.b.withdraw(pending.entry.entry_id))
    served.publish()


def test_a_waiting_row_is_not_pulled_out(patient: Served) -> None:
    """By who files the same subject and withdraws, or by a dispute of an older row of it: that is
    marked at once, and the new row comes with its batch.
    """
    (waiting,) = patient.active(patient.a, "victim")
    comes_and_goes(patient, "victim")
    assert patient.rows() == []
    patient.restart()
    patient.clock.forward(days=7)
    assert [row.sealed for row in (patient.publish(), *patient.rows())[1:]] == [waiting.sealed[0]]
    patient.active(patient.a, "victim", severity=2)
    patient.take(patient.b, patient.b.dispute(waiting))
    patient.publish()
    assert [(row.sealed, row.flags) for row in patient.rows()] == [
        (waiting.sealed[0], Flag.DISPUTED)
    ]
    patient.restart()


def test_it_would_with_all_rows_of_an_urgent_tag(
    patient: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Control: a version that takes the tag's rows as they are shows the victim's alone."""

    def all_of_them(connection: object, tags: object, day: object, _: object = None) -> object:
        return listed(connection, tags, day)  # type: ignore[arg-type]

    monkeypatch.setattr(publishing, "listed", all_of_them)
    patient.active(patient.a, "victim")
    comes_and_goes(patient, "victim")
    assert len(patient.rows()) == 1


def test_a_correction_comes_at_once_in_the_place_of_its_row(patient: Served) -> None:
    """A subject is not off the list meanwhile; a row that corrects nothing listed waits."""
    (wrong,) = patient.active(patient.a, "subject", severity=2)
    patient.clock.forward(days=7)
    assert patient.publish().rows == 1
    (right,) = corrected(patient, wrong)
    patient.publish()
    assert [row.sealed for row in patient.rows()] == [right.sealed[0]]
    (unseen,) = patient.active(patient.a, "another", severity=2)
    corrected(patient, unseen, "another")
    assert patient.publish().rows == 1
    patient.restart()


def corrected(served: Served, wrong: File, subject: str = "subject") -> list[File]:
    """The member files what is right instead."""
    return served.active(served.a, subject, severity=1, supersedes=wrong.entry.entry_id)


def test_what_an_expiry_brings_up_waits_too(patient: Served) -> None:
    """The contributor's other row under the tag is not forgotten."""
    (first,) = patient.active(patient.a, "subject", severity=2)
    patient.clock.forward(days=7)
    assert patient.publish().rows == 1
    (second,) = patient.active(patient.a, "subject", severity=1)
    patient.clock.forward(days=7)
    assert patient.publish().rows == 1
    patient.take(patient.a, patient.a.withdraw(first.entry.entry_id))
    assert patient.publish().rows == 0
    patient.restart()
    patient.clock.forward(days=7)
    patient.publish()
    assert [row.sealed for row in patient.rows()] == [second.sealed[0]]
    patient.restart()
