"""A second run over the same rows without one lender: refused, until a person allows it."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from client.cli import main
from client.lender import Lender
from client.outbox_table import read_outbox
from client.rows_asked import name_of_rows
from client.settings import read_settings
from client.table import read_table
from shared.secure_sum.coordinator_round import Closed
from shared.secure_sum.history import History
from shared.secure_sum.statements import Answer
from shared.training.run import Run
from shared.wire.messages import Refused
from tests.client.lender_folder import frame_of
from tests.client.sealed_consortium import TERMS, SealedConsortium
from tests.shared.training.synthetic_book import SCHEMA, make_book

OTHERS = ("L01", "L02", "L03")


@pytest.fixture
def counted(tmp_path: Path) -> Iterator[SealedConsortium]:
    """Four lenders whose first run was stopped after its first count."""
    made = SealedConsortium(tmp_path, slots=8)
    made.make_set_up()
    made.stage()
    yield made
    for lender in made.lenders.values():
        lender.close()


def second_run(made: SealedConsortium, codes: Sequence[str], name: str = "second") -> Closed:
    """Another agreement, in nothing but its name, whose first count is masked by these."""
    made.terms = replace(TERMS, name=name)
    for code in codes:
        (made.folders[code] / "terms.json").write_text(json.dumps(made.terms.to_dict()))
        made.restart(code)
    made.run, made.released, made.agreed = Run(made.terms), [], ()
    made.make_set_up(codes)
    return made.collected(absent=set(made.folders) - set(codes))


def told(capsys: pytest.CaptureFixture[str], *words: object, status: int) -> str:
    assert main(["terms", *map(str, words)]) == status
    return capsys.readouterr().out


def test_a_lender_refuses_until_a_person_there_allows_it(
    counted: SealedConsortium, capsys: pytest.CaptureFixture[str]
) -> None:
    """After restarts, too; the word is in its outbox, and the same question is answered then."""
    home = counted.folders["L01"]
    assert "no run was refused" in told(capsys, "show", "--folder", home, status=0)
    closed = second_run(counted, OTHERS)
    for _ in range(2):
        counted.restart("L01")
        refused = counted.asked("L01", closed.survivors)
        assert isinstance(refused, Refused)
        assert refused.refusal is not None
        about = (refused.refusal.reason, refused.refusal.expected, refused.refusal.came)
        assert about == ("rows", "with L04", "3 lenders")

    shown = told(capsys, "show", "--folder", home, status=1)
    assert "terms allow L01,L02,L03" in shown
    assert "subtract them and read the exact numbers of L04 alone" in shown
    words = ("allow", "L03,L01,L02", "--folder", home)
    told(capsys, *words, status=1)
    assert isinstance(counted.asked("L01", closed.survivors), Refused)

    document = json.loads(told(capsys, *words, "--yes", "--json", status=0))
    assert (document["gone"], document["new"], document["allowed"]) == (["L04"], [], True)
    assert document["before"] == [["L01", "L02", "L03", "L04"]]
    told(capsys, *words, "--yes", status=0)
    kinds = [entry.record.kind for entry in read_outbox(home).entries]
    assert kinds.count("allowed") == 1
    assert isinstance(counted.asked("L01", closed.survivors), Answer)
    assert isinstance(counted.asked("L02", closed.survivors), Refused)
    assert json.loads(told(capsys, "show", "--folder", home, "--json", status=0))[0]["allowed"]
    assert isinstance(counted.restart("L01"), Lender)
    assert main(["outbox", str(home)]) == 0
    assert "allowed here" in capsys.readouterr().out


def test_only_what_was_refused_can_be_allowed(
    counted: SealedConsortium, capsys: pytest.CaptureFixture[str]
) -> None:
    """Nobody allows in advance what no run has asked for."""
    home = counted.folders["L01"]
    counted.asked("L01", second_run(counted, OTHERS).survivors)
    out = told(capsys, "allow", "L01,L02", "--folder", home, "--yes", "--json", status=2)
    assert "refused were: L01,L02,L03" in json.loads(out)["remedy"]
    assert not any(entry.record.kind == "allowed" for entry in read_outbox(home).entries)


def test_without_the_rule_two_runs_give_one_lenders_exact_counts(
    counted: SealedConsortium, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Control: the whole census of L04, which only the name of the run kept from being asked."""
    monkeypatch.setattr(History, "counted_before", lambda *_, **__: set())
    first, own = counted.released[0], counted.lenders["L04"]._worked[1]
    second = counted.total(second_run(counted, OTHERS))
    np.testing.assert_array_equal(first - second, own)
    assert own.any()


def test_one_row_less_and_the_rows_are_others(counted: SealedConsortium) -> None:
    """What the rule does not reach: lenders whose rows have changed answer, as each month's do. The
    difference then holds their changes, too; a lender with the same rows still refuses.
    """
    for code in ("L01", "L02"):
        path = counted.folders[code] / "loans.csv"
        path.write_text("\n".join(path.read_text().splitlines()[:-1]) + "\n")
    closed = second_run(counted, OTHERS)
    assert isinstance(counted.asked("L01", closed.survivors), Answer)
    assert isinstance(counted.asked("L02", closed.survivors), Answer)
    assert isinstance(counted.asked("L03", closed.survivors), Refused)


def test_the_same_rows_have_one_name(tmp_path: Path) -> None:
    """In another order, with other keys, as CSV or Parquet; another value, label or row is told."""
    table = make_book(40)
    name = name_of_rows(table)
    order = np.arange(table.rows)[::-1]
    assert name_of_rows(table.take(order)) == name
    assert name_of_rows(replace(table, row_key=table.row_key[order])) == name
    frame = frame_of(table)
    frame.to_csv(tmp_path / "loans.csv", index=False)
    frame.to_parquet(tmp_path / "loans.parquet", index=False)
    names = {
        name_of_rows(read_table(tmp_path / f"loans.{end}", SCHEMA).table)
        for end in ("csv", "parquet")
    }
    assert len(names) == 1
    assert table.bad is not None
    flipped = table.bad.copy()
    flipped[0] = 1 - flipped[0]
    column = next(iter(table.values))
    values = table.values[column].copy()
    values[0] = values[0] + 1
    changed = [
        table.take(order[1:]),
        replace(table, bad=flipped),
        replace(table, values=table.values | {column: values}),
    ]
    assert len({name, *map(name_of_rows, changed)}) == 4


def test_a_changed_number_of_members_changes_no_name(counted: SealedConsortium) -> None:
    """The name is of rows alone: every run's records at a lender carry the same one."""
    second_run(counted, OTHERS)
    entries = read_outbox(counted.folders["L01"]).entries
    names = {entry.record.rows for entry in entries if entry.record.kind in ("masked", "answer")}
    table = read_table(read_settings(counted.folders["L01"]).table, SCHEMA).table
    assert names == {name_of_rows(table)}
