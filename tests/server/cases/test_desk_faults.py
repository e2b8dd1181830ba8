"""Whatever happens to the desk's process or disk: nothing acknowledged is lost, nothing counts
twice, nothing damaged is served.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from server.cases.store import FILE, DamagedError, KeptPage, Store
from shared.cases.case import Case
from shared.cases.ring_flag import RingFlag
from shared.errors import OperatorError
from tests.case_lenders import Desks, Lender, innocents, ring


class KilledError(BaseException):
    """As if the process ended here."""


class Killing:
    """Ends the desk at its n-th transaction, before or after it is durable."""

    def __init__(self, patch: pytest.MonkeyPatch, at: int, durable: bool) -> None:
        self.seen, whole = 0, Store.transaction

        @contextmanager
        def transaction(store: Store) -> Iterator[sqlite3.Connection]:
            self.seen += 1
            dies = self.seen == at
            with whole(store) as run:
                yield run
                if dies and not durable:
                    raise KilledError
            if dies:
                raise KilledError

        patch.setattr(Store, "transaction", transaction)


def conversation(desks: Desks, case: Case, lenders: list[Lender]) -> dict[str, RingFlag]:
    """A week as `Desks.week`, where everybody asks again until answered; the flags."""

    def again(call: Callable[[], object]) -> None:
        try:
            call()
        except KilledError:
            desks.restart()
            call()

    def sent(stage: str, pages: dict[str, list[bytes]]) -> None:
        for code, texts in pages.items():
            for text in texts:
                again(lambda code=code, text=text: desks.desk.submit(code, case.id, stage, text))  # type: ignore[misc]

    desks.at(0, 1)
    sent("count", {one.code: one.count_pages(case, 0) for one in lenders})
    desks.at(0, 24)
    again(lambda: desks.desk.tick())
    sent("edges", {one.code: one.edge_pages(case, 0, desks.told(one, case)) for one in lenders})
    desks.at(0, 48)
    again(lambda: desks.desk.tick())
    people = [f"r person {number}" for number in range(6)]
    return lenders[0].flags(case, desks.bulletin(case), people)


@pytest.mark.parametrize("durable", [True, False])
def test_killed_at_any_transaction_it_goes_on_where_it_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, durable: bool
) -> None:
    """One week, killed at each of its transactions in turn: the same pages, the same flags."""
    lenders = [Lender(code) for code in ("L01", "L02", "L03")]
    ring(lenders)
    found = []
    for at in range(10):
        desks = Desks(tmp_path / f"{at}")
        case = desks.open()
        with monkeypatch.context() as patch:
            killing = Killing(patch, at, durable)
            flags = conversation(desks, case, lenders)
        assert killing.seen >= 9
        pages = [*desks.store.pages(case.id, "count", 0), *desks.store.pages(case.id, "edges", 0)]
        assert len(pages) == 6
        assert [head.version for head in desks.desk.heads(case.id, 0)] == [1]
        found.append({who: (flag.distance, flag.score_band) for who, flag in flags.items()})
        desks.store.close()
    assert found == [found[0]] * 10
    assert set(found[0].values()) == {(0, "90-100")}


def test_a_full_disk_takes_nothing_and_loses_nothing(tmp_path: Path) -> None:
    """No receipt without the page; with room again the same page is taken."""
    desks, lender = Desks(tmp_path / "desk"), Lender("L01")
    case = desks.open(pages=(2, 1))
    desks.at(0, 1)
    first, second = lender.count_pages(case, 0)
    desks.desk.submit("L01", case.id, "count", first)
    pragma = desks.store._connection.execute
    (size,) = pragma("PRAGMA page_count").fetchone()
    pragma(f"PRAGMA max_page_count = {size}").fetchall()
    with pytest.raises(OperatorError, match="full; nothing was answered"):
        desks.desk.submit("L01", case.id, "count", second)
    assert len([*desks.store.pages(case.id, "count", 0)]) == 1
    desks.restart()
    desks.desk.submit("L01", case.id, "count", second)
    assert len([*desks.store.pages(case.id, "count", 0)]) == 2


def altered(desks: Desks, query: str) -> None:
    """Change what is on the disk behind the desk's back."""
    desks.store.close()
    with sqlite3.connect(desks.folder / FILE) as run:
        run.execute(query)
    run.close()


def test_a_bulletin_that_was_changed_on_disk_is_not_served(tmp_path: Path) -> None:
    """Neither by a desk that begins, nor by one that is running."""
    desks = Desks(tmp_path / "desk")
    lenders = [Lender(code) for code in ("L01", "L02", "L03")]
    case = desks.open()
    desks.week(case, lenders)
    assert desks.desk.content(case.id, 1)
    with sqlite3.connect(desks.folder / FILE) as run:
        run.execute("UPDATE bulletins SET content = zeroblob(length(content))")
    run.close()
    with pytest.raises(DamagedError):
        desks.desk.content(case.id, 1)
    desks.store.close()
    with pytest.raises(DamagedError):
        desks.begin()


@pytest.mark.parametrize(
    "query",
    [
        "UPDATE bulletins SET version = 3 WHERE version = 2",
        "DELETE FROM bulletins WHERE version = 1",
        "DELETE FROM bulletins WHERE version = 2",
        "UPDATE bulletins SET head = zeroblob(99)",
    ],
)
def test_bulletins_that_do_not_follow_one_another_are_not_served(
    tmp_path: Path, query: str
) -> None:
    """One is missing, or stands at another's place."""
    desks = Desks(tmp_path / "desk")
    lenders = [Lender(code) for code in ("L01", "L02", "L03")]
    case = desks.open()
    for week in (0, 1):
        desks.week(case, lenders, week)
    desks.restart()
    altered(desks, query)
    with pytest.raises(DamagedError):
        desks.begin()


def test_a_page_with_a_flipped_bit_makes_no_bulletin(tmp_path: Path) -> None:
    """The week stays open until the file is mended; the honest page's week ends (control)."""
    desks = Desks(tmp_path / "desk")
    lenders = [Lender(code) for code in ("L01", "L02", "L03")]
    innocents(lenders)
    case = desks.open()
    desks.week(case, lenders)
    desks.at(1, 1)
    for lender in lenders:
        desks.desk.submit(lender.code, case.id, "count", lender.count_pages(case, 1)[0])
    desks.store.close()
    raw = bytearray((desks.folder / FILE).read_bytes())
    at = raw.index(b'"EdgePage"') + 2000
    raw[at] ^= 1
    (desks.folder / FILE).write_bytes(raw)
    desks.begin()
    desks.at(1, 24)
    desks.desk.tick()
    for lender in lenders:
        desks.desk.submit(lender.code, case.id, "edges", lender.edge_pages(case, 1, None)[0])
    desks.at(1, 48)
    with pytest.raises(DamagedError, match="not the one that was taken"):
        desks.desk.tick()
    assert len(desks.desk.heads(case.id, 0)) == 1


def test_a_file_that_is_no_database_is_refused_in_words(tmp_path: Path) -> None:
    """And what it says has a remedy."""
    folder = tmp_path / "desk"
    folder.mkdir()
    (folder / FILE).write_bytes(b"not a database" * 1000)
    with pytest.raises(OperatorError) as raised:
        Store(folder)
    assert "backup" in raised.value.remedy


def test_a_damaged_case_does_not_hold_up_another(tmp_path: Path) -> None:
    """The other one's week ends; the error is told all the same."""
    desks = Desks(tmp_path / "desk")
    lenders = [Lender(code) for code in ("L01", "L02", "L03")]
    first, second = desks.open(), desks.open()
    desks.at(0, 1)
    for case in (first, second):
        for lender in lenders:
            desks.desk.submit(lender.code, case.id, "count", lender.count_pages(case, 0)[0])
    desks.at(0, 24)
    desks.desk.tick()
    for case in (first, second):
        for lender in lenders:
            pages = lender.edge_pages(case, 0, desks.told(lender, case))
            desks.desk.submit(lender.code, case.id, "edges", pages[0])
    with desks.store.transaction() as run:
        query = "UPDATE pages SET text = zeroblob(9) WHERE id = ? AND stage = 'edges'"
        run.execute(query, (min(first.id, second.id),))
    desks.at(0, 48)
    with pytest.raises(DamagedError):
        desks.desk.tick()
    assert len(desks.desk.heads(max(first.id, second.id), 0)) == 1
    assert not desks.desk.heads(min(first.id, second.id), 0)


def test_a_page_that_comes_while_its_stage_ends_is_not_kept(tmp_path: Path) -> None:
    """The step and the page are judged in one transaction; before the step it is kept (control)."""
    desks = Desks(tmp_path / "desk")
    desks.open()
    (kept,) = desks.store.cases()
    page = KeptPage("L01", bytes(32), 0, b"text")
    assert desks.store.add_page(kept, "count", 0, page)
    assert desks.store.move(kept, "edges", 1)
    assert not desks.store.move(kept, "edges", 1)  # it does not stand there any more
    assert not desks.store.add_page(kept, "count", 1, page)


def test_what_is_acknowledged_is_on_the_disk_and_what_is_deleted_is_overwritten(
    tmp_path: Path,
) -> None:
    """As SQLite was told: every commit synced, freed pages zeroed, readers beside the writer."""
    ask = Desks(tmp_path / "desk").store._rows
    pragmas = ("synchronous", "secure_delete", "journal_mode")
    assert [ask(f"PRAGMA {one}") for one in pragmas] == [[(2,)], [(1,)], [("wal",)]]


def test_a_case_out_of_memory_holds_up_no_other_and_is_tried_again_later(tmp_path: Path) -> None:
    """The other one's bulletin is there; with nothing around it (control) the error goes on."""
    desks = Desks(tmp_path / "desk")
    lenders = [Lender(code) for code in ("L01", "L02", "L03")]
    cases = sorted((desks.open(), desks.open()), key=lambda one: one.id)
    desks.at(0, 1)
    for case in cases:
        for lender in lenders:
            desks.desk.submit(lender.code, case.id, "count", lender.count_pages(case, 0)[0])
    desks.at(0, 24)
    desks.desk.tick()
    for case in cases:
        for lender in lenders:
            desks.desk.submit(lender.code, case.id, "edges", lender.edge_pages(case, 0, None)[0])
    desks.at(0, 48)
    real, tried = desks.desk._graph, list[bytes]()

    def graph(case: Case, week: int) -> object:
        tried.append(case.id)
        if case == cases[0] and len(tried) < 3:
            raise MemoryError
        return real(case, week)

    desks.desk._graph = graph  # type: ignore[method-assign, assignment]
    with pytest.raises(MemoryError):
        desks.desk.tick()
    assert [len(desks.desk.heads(case.id, 0)) for case in cases] == [0, 1]
    desks.desk.tick()
    assert len(tried) == 2  # it rests
    desks.at(0, 49.5)
    desks.desk.tick()
    assert [len(desks.desk.heads(case.id, 0)) for case in cases] == [1, 1]
    tried.clear()
    with pytest.raises(MemoryError):
        graph(cases[0], 0)
