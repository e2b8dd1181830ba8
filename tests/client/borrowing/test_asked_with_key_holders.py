"""From files to bands by the commands, with key holders over TLS on loopback; and what the doctor
says of such a lender.
"""

from __future__ import annotations

import json
import shutil
import tomllib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

import server.deployment.control
from client.cli import main
from client.doctor.advice import Advice, wrong
from client.doctor.asked import asked
from client.settings import read_standing
from server.cli import main as server_main
from server.coordinator.exchange import VoidStageError
from server.demo.identities import people
from shared.borrowing.batch import BATCH
from shared.errors import LianfangError, OperatorError
from tests.asked_consortium import CODES, HEADER, AskedConsortium, applied
from tests.consortium_folders import now
from tests.identities import identity_under
from tests.token_services import can_ask, key_holders, list_known

FOUR = CODES[:4]
FOLK = people(5, 5)


@pytest.fixture(scope="module")
def holders(tmp_path_factory: pytest.TempPathFactory) -> Iterator[AskedConsortium]:
    """Four lenders that can ask three key holders; nobody has kept anything yet."""
    made = AskedConsortium(tmp_path_factory.mktemp("asked"), codes=FOUR)
    context = made.consortium.name
    (made.home / "services").mkdir()
    with key_holders(made.home / "services", made.authority, context) as addresses:
        for code in FOUR:
            can_ask(made.home / code, code, made.authority, context, addresses)
        yield made


def keeps(made: AskedConsortium, code: str, *lines: str) -> None:
    path = made.home / code / "events.csv"
    path.write_text(HEADER + "".join(f"{one}\n" for one in lines))
    assert main(["borrowing", "keep", str(path), "--folder", str(made.home / code)]) == 0


def test_keep_ask_start_and_open_with_real_key_holders(
    holders: AskedConsortium, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """All lenders make the same token of a person, whom three others know; of the second nobody
    tells. What left for the key holders is on record, and names nobody.
    """
    made, person = holders, FOLK[0].resident_id
    for code in FOUR:
        keeps(made, code, applied(person, f"{code}-A"))
    book, batch = tmp_path / "book.csv", tmp_path / "batch.json"
    book.write_text(f"resident_id\n{person}\n{FOLK[1].resident_id}\n")
    home = ("--folder", str(made.home / "L01"))
    assert main(["borrowing", "ask", str(book), "--out", str(batch), *home]) == 0
    assert len(made.batch(batch).tokens) == BATCH
    points = [line for line in made.outbox("L01") if line["kind"] == "points"]
    assert points
    assert person not in (made.home / "L01/own/outbox.jsonl").read_text() + batch.read_text()

    @contextmanager
    def control(folder: Path) -> Iterator[Any]:
        yield made.superlink

    monkeypatch.setattr(server.deployment.control, "control_of", control)
    words = ("run", "start", str(made.folder), "asked-1", "--asked", str(batch), "--detach")
    assert server_main(words) == 0
    made.shown()
    run = made.folder / "runs" / "asked-1"
    made.carried(run)
    out = tmp_path / "elsewhere.csv"
    words = ("borrowing", "open", str(run / "answer.json"), "--out", str(out), *home)
    assert main(words) == 1
    assert pd.read_csv(out)["app_orgnum_d7_all"].tolist() == [3, -1]


@pytest.fixture
def lender(holders: AskedConsortium, tmp_path: Path) -> Path:
    """L02's folder for one test, with events and the list of members that joining leaves."""
    place = tmp_path / "L02"
    shutil.copytree(holders.home / "L02", place)
    shutil.rmtree(
        place / "own" / "borrowing" / "kept", ignore_errors=True
    )  # what another test left
    keys = {code: identity_under(holders.authority, code, now=now()) for code in FOUR}
    pinned = {code: one.member.public.hex() for code, one in keys.items()}
    (place / "members.json").write_text(json.dumps(pinned))
    events = tmp_path / "events.csv"
    events.write_text(f"{HEADER}{applied(FOLK[2].resident_id, 'L02-C')}\n")
    assert main(["borrowing", "keep", str(events), "--folder", str(place)]) == 0
    return place


def told(folder: Path, *, network: bool = False) -> dict[tuple[str, str], str]:
    """What the doctor says, by subject and state."""
    lines: list[Advice] = []
    try:
        lines.extend(asked(folder, "L02", now, network=network))
    except LianfangError as error:
        lines.append(wrong("asked", error.what, error.remedy))
    assert all(one.remedy for one in lines if one.state != "ok")
    return {(one.subject, one.state): one.what for one in lines}


def edit(folder: Path, old: str, new: str, name: str = "client.toml") -> None:
    text = (folder / name).read_text()
    assert old in text
    (folder / name).write_text(text.replace(old, new))


def test_a_lender_that_can_answer_is_told_so_and_key_holders_are_reached(lender: Path) -> None:
    """All well; the control: with another holder's address that holder alone is named."""
    before = (lender / "own/outbox.jsonl").read_bytes()
    found = told(lender, network=True)
    assert {state for _, state in found} == {"ok"}
    assert found["key holders", "ok"] == "K1, K2, K3 answer over TLS, certified as such"
    assert found["asked", "ok"].startswith("every member's batches are answered, 4 a day each")
    assert found["kept events", "ok"] == "under key epoch 1, rows: 1"
    holders = tomllib.loads((lender / "exchange.toml").read_text())["holders"]
    edit(lender, holders["K3"], holders["K1"], "exchange.toml")
    found = told(lender, network=True)
    assert found["key holders", "attention"].count(" at ") == 1
    assert f"K3 at {holders['K1']}" in found["key holders", "attention"]
    assert found["key holders", "ok"].startswith("K1, K2 answer")
    assert (lender / "own/outbox.jsonl").read_bytes() == before


def strange_context(folder: Path) -> None:
    edit(folder, "Five lenders", "Six lenders", "exchange.toml")


def no_exchange(folder: Path) -> None:
    (folder / "exchange.toml").unlink()


def nothing_kept(folder: Path) -> None:
    (folder / "own/borrowing/kept/epoch-1.rows").unlink()


def damaged_events(folder: Path) -> None:
    path = folder / "own/borrowing/kept/epoch-1.rows"
    path.write_bytes(path.read_bytes()[:-1])


def damaged_count(folder: Path) -> None:
    (folder / "own/borrowing/asked").mkdir(parents=True, exist_ok=True)
    (folder / "own/borrowing/asked/today.json").write_text("{")


Change = Callable[[Path], None] | str


@pytest.mark.parametrize(
    ("change", "state", "what"),
    [
        ('askers = "everybody"', "wrong", "'askers' is wrong"),
        ('askers = ["L01"]\nlenders = 3', "wrong", "'lenders' is wrong"),
        ('askers = ["L01", "L02"]\ndialy = 3', "wrong", "'dialy' is not known"),
        ("askers = []", "attention", "askers names nobody: no batch is answered"),
        ('askers = ["L01"]', "attention", "L02 is not among its own askers"),
        ('askers = ["L02", "L99"]', "attention", "or revoked: L99"),
        ('askers = "members"\n[floors]\nkinds = ["losses"]', "wrong", "leaves out counts"),
        ('askers = "members"\nlenders = 6', "attention", "4 members are pinned"),
        (strange_context, "wrong", "is not the consortium's name"),
        (no_exchange, "attention", "keeping events and asking need the key holders"),
        (nothing_kept, "wrong", "no events are kept"),
        (damaged_events, "wrong", "was changed or cut short"),
        (damaged_count, "wrong", "today.json cannot be used"),
    ],
)
def test_what_keeps_a_lender_from_answering_is_said(
    lender: Path, change: Change, state: str, what: str
) -> None:
    """A setting that is wrong or comes to nothing, a file that is missing or damaged; the control:
    nothing of it before.
    """
    edit(lender, 'member = "L02"\n', 'member = "L02"\nmembers = "members.json"\n')
    assert {one for _, one in told(lender)} == {"ok"}
    if isinstance(change, str):
        edit(lender, 'askers = "members"', change)
    else:
        change(lender)
    assert any(what in said for (_, one), said in told(lender).items() if one == state)


def not_heard(folder: Path) -> Advice:
    """What L02's doctor says of the end it waits for."""
    lines = asked(folder, "L02", now, network=False)
    (found,) = [one for one in lines if "was not heard" in one.what]
    return found


def test_a_floor_of_its_own_above_all_members_is_told_without_pins(lender: Path) -> None:
    """Nobody is pinned, so the list may be old; the control: as many as there are is well."""
    edit(lender, 'askers = "members"', 'askers = "members"\nlenders = 4')
    assert {state for _, state in told(lender)} == {"ok"}
    edit(lender, "lenders = 4", "lenders = 12")
    said = told(lender)["asked", "attention"]
    assert "members.json names 4 members, and a batch is answered over 12 or more" in said


def test_a_misspelt_section_or_entry_is_named_with_the_right_one(lender: Path) -> None:
    """What is there is said, and what was meant; events need not be kept for it."""
    edit(lender, "askers =", "asker =")
    with pytest.raises(OperatorError, match="'asker' is not known") as misspelt:
        list(asked(lender, "L02", now, network=False))
    assert misspelt.value.remedy.startswith("did you mean askers?")
    edit(lender, "[asked]", "[Asked]")
    nothing_kept(lender)
    assert "has [Asked], and no [asked]: no batch is answered" in told(lender)["asked", "wrong"]
    with pytest.raises(OperatorError, match=r"no section \[Asked\] is known") as strange:
        read_standing(lender, "demo")
    assert strange.value.remedy.startswith("did you mean [asked]?")


def test_a_batch_whose_end_was_not_heard_is_told(holders: AskedConsortium, tmp_path: Path) -> None:
    """With what to do; the control: once it was heard nothing is said."""
    made = AskedConsortium(tmp_path, codes=FOUR)
    for code in FOUR:
        made.keeps(code, applied(FOLK[0].resident_id, code))
        (made.home / code / "members.json").write_text("{}")
    run = made.started(made.asks("L01", FOLK[0].resident_id), "first")
    with pytest.raises(VoidStageError, match="close"):
        made.carried(run, faults=["away L02 close never"])
    found = not_heard(made.home / "L02")
    words = ("borrowing", "give-up", "--folder", str(made.home / "L02"))
    assert main([*words, "--operator", "Li Na", "--yes"]) == 1
    half = not_heard(made.home / "L02")
    made.carried(run, resume=True)
    after = [one.what for one in asked(made.home / "L02", "L02", now, network=False)]
    assert "was not heard: no other is answered" in found.what
    assert "run resume; where it never comes" in found.remedy
    assert "borrowing give-up" in found.remedy
    assert "one person's word to give it up is there, another's is missing" in half.remedy
    assert not [what for what in after if "was not heard" in what]


def test_no_word_is_lost_on_who_has_nothing_to_do_with_it(lender: Path) -> None:
    """Without [asked]: attention while events are kept, nothing at all without."""
    edit(lender, '[asked]\naskers = "members"\n', "")
    assert "has no [asked]: none is" in told(lender)["asked", "attention"]
    nothing_kept(lender)
    assert told(lender) == {}


def test_events_under_an_older_key_are_told(holders: AskedConsortium, lender: Path) -> None:
    """The list is at epoch 2; the control: at 1 nothing is said."""
    for epochs, said in (((1,), False), ((1, 2), True)):
        list_known(lender, holders.authority, epochs)
        words = told(lender).get(("kept events", "attention"), "")
        assert ("under key epoch 1, and the list is at 2" in words) == said
