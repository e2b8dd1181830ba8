"""Standing for another lender's entry: what is approved is what was shown, for one key's tokens."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from client.exchange import filing, seconding
from client.exchange.desk import Desk
from client.exchange.filed import FiledEntry
from client.exchange.refiling import Refiled
from client.exchange.seconding import Seconding
from shared.blacklist.record import Record, record_of
from shared.blacklist.waiting import WaitingEntry
from shared.errors import OperatorError, PeerError
from tests.client.exchange.desks import EVIDENCE, Desks, opened, subject_of
from tests.exchange_parties import CHECKER, MAKER, PEOPLE

HONEST, MOVED, BLIND, OTHERS, SECRET, CARELESS, SHOWN, LIE = PEOPLE[:8]
AWAY = PEOPLE[8:10]


@pytest.fixture(scope="module")
def desks(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desks]:
    with opened(tmp_path_factory.mktemp("exchange")) as made:
        yield made


@pytest.fixture
def alone(tmp_path: Path) -> Iterator[Desks]:
    """For one test, which changes the epoch."""
    folder = tmp_path / "parties"
    folder.mkdir()
    with opened(folder) as made:
        yield made


def waiting(desk: Desk, name: bytes) -> WaitingEntry:
    """What the desk is shown of an entry."""
    found = [one for one in desk.registry.waiting() if one.name == name]
    assert isinstance(found[0], WaitingEntry)
    return found[0]


def test_a_stranger_s_identifier_is_not_carried_along(desks: Desks) -> None:
    """Not about the subject given: nothing is sent and nothing kept; about it, it is (control)."""
    name = desks.listed("L01", OTHERS, severity="3")
    with pytest.raises(OperatorError, match="not only about the subject given"):
        desks.second("L02", name, HONEST)
    assert desks["L02"].seconded.entry(name) is None
    desks.second("L02", name, OTHERS)
    kept = desks["L02"].seconded.entry(name)
    assert kept is not None
    assert (kept.evidence, kept.identifiers) == (EVIDENCE, subject_of(OTHERS).identifiers)
    assert [*kept.approved] == [1]


@pytest.mark.parametrize(
    ("changes", "told"),
    [({"severity": 1}, "severity 1, not 3"), ({"reason_class": "evasion"}, "says evasion, not")],
)
def test_a_record_that_says_something_else_is_not_approved(
    desks: Desks, monkeypatch: pytest.MonkeyPatch, changes: dict[str, Any], told: str
) -> None:
    """The contributor declares one thing and seals another: seen before it is approved. A lender
    that does not look approves it (control).
    """

    def lying(*about: Any) -> Record:
        record = record_of(*about)
        kinds = {name: type(getattr(record, name)) for name in changes}
        return replace(record, **{name: kinds[name](value) for name, value in changes.items()})

    person = SECRET if "severity" in changes else CARELESS
    with monkeypatch.context() as liar:
        liar.setattr(filing, "record_of", lying)
        name = desks.listed("L01", person, severity="3")
    with pytest.raises(PeerError, match=told):
        desks.second("L02", name, person)
    assert desks["L02"].seconded.entry(name) is None
    monkeypatch.setattr(seconding, "check_records", lambda *_: None)
    desks.second("L02", name, person)


def test_what_the_registry_shows_falsely_is_approved_for_nothing(
    desks: Desks, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another reason of the same class is shown: the approval fits no entry, and nothing is kept.
    Shown truly, it is taken (control).
    """
    name = desks.listed("L01", SHOWN, severity="3")
    desk, true = desks["L02"], waiting(desks["L02"], name)
    lie = replace(true, reason_code="F103")
    with monkeypatch.context() as lying:
        lying.setattr(desk.registry, "waiting", lambda: [lie])
        settled = desk.second(name, subject_of(SHOWN).identifiers, EVIDENCE, CHECKER)
    assert settled.receipt is None
    assert "digest" in (settled.refusal or "")
    assert desk.seconded.entry(name) is None
    desks.second("L02", name, SHOWN)


def moving(desk: Desk, monkeypatch: pytest.MonkeyPatch, **whom: Any) -> None:
    """This contributor re-files entries about somebody else: name in hex → person."""
    true = desk.filed.entry

    def false(entry_id: bytes) -> FiledEntry | None:
        record, other = true(entry_id), whom.get(entry_id.hex())
        if record is None or other is None:
            return record
        return FiledEntry(record.entry, subject_of(other).identifiers)

    monkeypatch.setattr(desk.filed, "entry", false)


def refiled(desk: Desk) -> Refiled:
    return desk.refile(MAKER, CHECKER)


def test_after_a_rotation_only_the_same_subject_is_stood_for(
    alone: Desks, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Re-filed about the same person it is approved again, once, and answers with severity 3.
    Re-filed about somebody else it is not, is told, and that person reads as 2. A lender that
    approves without comparing makes it 3 (control).
    """
    names = {one: alone.listed("L01", one, severity="3") for one in (HONEST, MOVED, BLIND)}
    for person, name in names.items():
        alone.second("L03", name, person)
    alone.synced()
    assert [alone.severity("L02", one) for one in (HONEST, MOVED, *AWAY)] == [3, 3, None, None]
    alone.parties.relay.rotate()
    alone.open_epoch()
    whom = {names[MOVED].hex(): AWAY[0], names[BLIND].hex(): AWAY[1]}
    moving(alone["L01"], monkeypatch, **whom)
    assert refiled(alone["L01"]).refused == ()
    with monkeypatch.context() as only:
        _only(only, alone["L03"], names[HONEST], names[MOVED])
        done = refiled(alone["L03"])
    assert done.seconded == 1
    (told,) = done.refused
    assert f"{names[MOVED].hex()}, which this lender approved, was re-filed about somebody" in told
    with monkeypatch.context() as blind:
        _only(blind, alone["L03"], names[BLIND])
        blind.setattr(Seconding, "_check_same", lambda *_: None)
        assert refiled(alone["L03"]).seconded == 1
    alone.synced()
    kept = alone["L03"].seconded.entry(names[HONEST])
    assert kept is not None
    assert [*kept.approved] == [1, 2]
    retired(alone)
    assert [alone.severity("L02", one) for one in (HONEST, MOVED, *AWAY)] == [3, None, 2, 3]
    assert refiled(alone["L03"]).seconded == 0


def _only(monkeypatch: pytest.MonkeyPatch, desk: Desk, *names: bytes) -> None:
    """The registry shows this desk nothing else."""
    found = [one for one in desk.registry.waiting() if one.name in names]
    monkeypatch.setattr(desk.registry, "waiting", lambda: found)


def retired(desks: Desks) -> None:
    """The first epoch answers no more."""
    refiled(desks["L02"])
    event = desks["L01"].decisions.retire_epoch(1, MAKER, CHECKER)
    settled: Sequence[Any] = [
        desks["L01"].decide(event),
        desks["L02"].consent(event.event_id, MAKER, CHECKER),
    ]
    assert all(one.receipt for one in settled), settled
    desks.synced()
