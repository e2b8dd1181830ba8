"""A lender's copy of the list: old, damaged or not the one seen last; what a sync changes."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from client.cli import main
from client.exchange.index import ListIndex
from client.exchange.key_sets import KeySets
from server.actor import read_actor
from shared.blacklist.checkpoint import Checkpoint
from shared.secure_sum.encoding import read_text, text_of
from tests.client.lists.list_words import check, live, said
from tests.exchange_parties import CHECKER, TWO, Parties
from tests.server.keyholder.key_holders import NOW


def test_long_commands_tell_how_far_they_are(
    exchange: Parties, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first snapshot by rows, approving and filing by entries: what is told adds up."""
    first, second = exchange.people(2)
    bars: list[tuple[str, int, list[int]]] = []

    @contextmanager
    def shown():  # type: ignore[no-untyped-def]
        def begin(what: str, total: int) -> Callable[[int], None]:
            bars.append((what, total, []))
            return bars[-1][2].append

        yield begin

    for module in ("listing", "filing", "deciding"):
        monkeypatch.setattr(f"client.commands.{module}.bars", shown)
    exchange.file("L02", first)
    exchange.file("L02", second)
    exchange.run("L02", "list", "approve", "--operator", CHECKER)
    exchange.synced("L02")
    assert max(total for what, total, _ in bars if what == "entries") >= 2
    fresh = exchange.lender("L02") / "own" / "list"
    shutil.rmtree(fresh)
    found = exchange.asked("L02", "list", "sync")
    assert isinstance(found, dict)
    assert (bars[-1][0], bars[-1][1]) == ("rows", found["rows"])
    assert all(sum(told) == total for _, total, told in bars)


def test_an_old_copy_of_the_list_is_told(
    exchange: Parties, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A lookup in it still answers, and says what it may miss; a fresh one says nothing."""
    who = exchange.someone()
    words = ["list", "check", "--resident-id", who.resident_id]
    words += ["--folder", str(exchange.lender("L03"))]
    assert main(words) == 0
    assert "days old" not in capsys.readouterr().err
    monkeypatch.setattr("client.exchange.desk.Desk.age", timedelta(days=5))
    assert main(words) == 0
    assert "5 days old" in capsys.readouterr().err


def test_a_rotation_refiles_every_entry_and_loses_no_answer(
    alone: Parties, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """In the new epoch, after all have re-filed and the old one is retired, the hit is still there;
    before it is consented to, nothing changes. Whoever stood for a grave entry stands for its new
    tokens once it has re-filed too, and says so; until then `list own` says that its word is
    missing.
    """
    listed, suspect, other = alone.people(3)
    alone.listed("L03", listed)
    alone.listed("L02", other)
    grave = alone.listed("L01", suspect, "--severity", "3")
    words = ("--evidence-file", alone.folder / "case.txt", "--operator", CHECKER)
    who = ("--resident-id", suspect.resident_id)
    alone.run("L02", "list", "approve", grave, *words, *who)
    alone.relay.rotate()
    opened = alone.asked("L01", "list", "open-epoch", *TWO)
    assert isinstance(opened, dict)
    alone.run("L02", "list", "consent", opened["events"][0], *TWO)
    for code in ("L01", "L02", "L03"):
        alone.synced(code)
        assert "list refile" in alone.run(code, "list", "own", status=1)
        told = alone.run(code, "list", "refile", *TWO)
        assert ("another lender" in told or "other lenders" in told) == (code == "L02")
        word = "the second institution's word for its tokens of key epoch 2"
        (own,) = [e for e in live(alone, "L01") if e["entry"] == grave]
        assert own["waits_for"] == (word if code == "L01" else "")
        assert own["corroborated_epochs"] == ([1] if code == "L01" else [1, 2])
        again = alone.asked(code, "list", "refile", *TWO)
        assert isinstance(again, dict)
        assert (again["refused"], again["unknown"]) == ([], [])
    retired = alone.asked("L01", "list", "retire-epoch", 1, *TWO)
    assert isinstance(retired, dict)
    assert retired["refused"] == []
    alone.run("L02", "list", "consent", retired["events"][0], *TWO)
    alone.synced("L01")
    assert check(alone, "L01", listed, 1)["hit"] is True
    kept = alone.lender("L01") / "own" / "tokens" / "epoch-1"
    assert kept.exists()  # the registry's word is not enough: the holders show it still
    monkeypatch.setattr(KeySets, "left", lambda self, epochs: frozenset(epochs))
    sync = alone.asked("L01", "list", "sync")
    assert not kept.exists()
    assert isinstance(sync, dict)
    assert sync["epochs"] == [2]


def test_two_lenders_compare_what_they_were_shown(exchange: Parties, tmp_path: Path) -> None:
    """One list: said so, exit 0. Other versions: sync both. A split view, signed by the registry
    itself: exit 2 and the evidence is on the disk, named. What nobody signed is no checkpoint.
    """
    ours, theirs = tmp_path / "ours.json", tmp_path / "theirs.json"
    for code in ("L01", "L02"):
        exchange.synced(code)
    told = exchange.run("L01", "list", "checkpoint", "--out", theirs)
    assert re.search(r"checkpoint of version \d+ of the list in ", told)
    printed = exchange.asked("L02", "list", "checkpoint")
    assert isinstance(printed, dict)
    assert printed["checkpoint"] == theirs.read_text().strip()
    told = exchange.run("L02", "list", "compare", theirs)
    assert told == f"the same list: version {printed['version']} there and here\n"
    found = exchange.asked("L02", "list", "compare", theirs)
    assert isinstance(found, dict)
    assert found["same_list"] is True

    held = read_text(Checkpoint, theirs.read_bytes().strip())
    private = read_actor(exchange.folder / "R1", "registry", NOW).identity.private
    for more, match in ((1, "contradicts"), (7, "sync both members")):
        far = replace(held, version=held.version + more, before=bytes(32)).signed(private)
        ours.write_bytes(text_of(far))
        told = exchange.run("L02", "list", "compare", ours, status=2)
        assert match in told
    theirs.write_bytes(text_of(replace(held, rows=held.rows + 1).signed(private)))
    before = {*(exchange.lender("L02") / "own/registry/evidence").glob("fork-*.json")}
    told = exchange.run("L02", "list", "compare", theirs, status=2)
    (path,) = {*(exchange.lender("L02") / "own/registry/evidence").glob("fork-*.json")} - before
    assert "contradicts" in told
    assert str(path) in told
    words = ("list", "compare", str(theirs), "--json", "--folder", str(exchange.lender("L02")))
    assert main([*words]) == 2
    assert exchange.capture is not None
    found = json.loads(exchange.capture.readouterr().out)
    assert found["same_list"] is False
    assert str(path) in found["remedy"]
    theirs.write_bytes(text_of(replace(held, rows=held.rows + 1)))
    told = exchange.run("L02", "list", "compare", theirs, status=2)
    assert "contradicts" not in told
    theirs.write_text("a,b\n")
    assert "is no checkpoint" in exchange.run("L02", "list", "compare", theirs, status=2)


def test_an_old_copy_says_its_age_also_where_there_is_no_hit(
    exchange: Parties, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """In words and as `days_old`; the screening of a book too; a fresh one says today (control)."""
    who = exchange.someone()
    words = ("list", "check", "--resident-id", who.resident_id)
    book = tmp_path / "book.csv"
    book.write_text(f"resident_id\n{who.resident_id}\n")
    screen = ("screen", book, "--out", tmp_path / "hits.csv")
    assert "published today" in said(exchange, "L03", *words)[0]
    assert "published today" in said(exchange, "L03", *screen)[0]
    monkeypatch.setattr("client.exchange.desk.Desk.age", timedelta(days=5))
    told, noted = said(exchange, "L03", *words)
    assert told.startswith("no hit on version ")
    assert "published 5 days ago" in told
    assert "list sync" in noted
    found = exchange.asked("L03", *words)
    assert isinstance(found, dict)
    assert (found["hit"], found["days_old"]) == (False, 5)
    assert "published 5 days ago" in said(exchange, "L03", *screen)[0]


def test_a_copy_that_is_not_the_one_seen_last_answers_nothing(
    exchange: Parties, tmp_path: Path
) -> None:
    """Removed, or an old one put back: refused, also for a book, and own entries are shown all the
    same; a sync mends it. Looked at by itself such a copy has no row of the subject (control).
    """
    who = exchange.someone()
    folder, kept = exchange.lender("L03") / "own" / "list", tmp_path / "kept"
    shutil.copytree(folder, kept)
    exchange.listed("L01", who)
    exchange.file("L01", exchange.someone(), "--severity", "3")  # something waits for all
    exchange.synced("L03")
    words = ("list", "check", "--resident-id", who.resident_id)
    book = tmp_path / "book.csv"
    book.write_text(f"resident_id\n{who.resident_id}\n")
    screen = ("screen", book, "--out", tmp_path / "hits.csv")
    said(exchange, "L03", *words, status=1)
    rows = len(ListIndex(folder))
    for old in (None, kept):
        shutil.rmtree(folder)
        if old is not None:
            shutil.copytree(old, folder)
        assert len(ListIndex(folder)) < rows
        for asked in (words, screen):
            _, told = said(exchange, "L03", *asked, status=2)
            assert re.search(r"holds version \d+ of the list, this lender has seen \d+", told)
            assert "lianfang-client list sync" in told
        exchange.run("L03", "list", "waiting", status=1)
        exchange.synced("L03")
        said(exchange, "L03", *words, status=1)
        said(exchange, "L03", *screen, status=1)


def test_a_damaged_copy_stops_lookups_only_and_a_sync_takes_it_whole(exchange: Parties) -> None:
    """Cut off: no answer, own entries and what waits are shown, the sync mends it."""
    who = exchange.someone()
    exchange.listed("L01", who)
    exchange.synced("L02")
    words = ("list", "check", "--resident-id", who.resident_id)
    said(exchange, "L02", *words, status=1)
    for path in (exchange.lender("L02") / "own" / "list").glob("*.bin"):
        path.write_bytes(path.read_bytes()[:-100])
    _, told = said(exchange, "L02", *words, status=2)
    assert "lianfang-client list sync" in told
    for fine in ("own", "waiting"):
        assert main(["list", fine, "--folder", str(exchange.lender("L02"))]) in (0, 1)
    assert exchange.capture is not None
    exchange.capture.readouterr()
    exchange.synced("L02")
    said(exchange, "L02", *words, status=1)


def test_a_sync_tells_whose_earlier_hit_is_another_now_and_ends_with_1(
    exchange: Parties, tmp_path: Path
) -> None:
    """The book's file, day, line and reference; once nothing changed any more, 0 (control)."""
    who = exchange.someone()
    entry = exchange.listed("L01", who)
    exchange.synced("L03")
    book = tmp_path / "march.csv"
    book.write_text(f"customer_ref,resident_id\nC7,{who.resident_id}\n")
    said(exchange, "L03", "screen", book, "--out", tmp_path / "hits.csv", status=1)
    exchange.run("L01", "list", "withdraw", entry, "--cause", "mistake", *TWO)
    exchange.registry.registry.tick()
    told, _ = said(exchange, "L03", "list", "sync", status=1)
    assert re.search(r"an earlier hit is gone: march\.csv of \d{4}-\d\d-\d\d, line 2 C7\n", told)
    said(exchange, "L03", "list", "sync")


def test_a_single_lookup_is_told_by_its_reference_when_its_hit_changes(exchange: Parties) -> None:
    """Day and reference, which lie sealed; one without a reference is only counted (control)."""
    named, unnamed = exchange.people(2)
    entries = [exchange.listed("L01", one) for one in (named, unnamed)]
    exchange.synced("L03")
    for one, more in ((named, ("--reference", "A-2026-0117")), (unnamed, ())):
        words = ("list", "check", "--resident-id", one.resident_id, *more)
        said(exchange, "L03", *words, status=1)
    kept = (exchange.lender("L03") / "own" / "filed" / "looked-up.db").read_bytes()
    assert b"A-2026-0117" not in kept
    exchange.run("L01", "list", "withdraw", *entries, "--cause", "mistake", *TWO)
    exchange.registry.registry.tick()
    told, _ = said(exchange, "L03", "list", "sync", status=1)
    assert re.search(r"an earlier hit is gone: looked up on \d{4}-\d\d-\d\d as A-2026-0117\n", told)
    assert "an earlier hit is gone: 1 identifier looked up alone" in told
