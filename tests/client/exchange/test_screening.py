"""Screening: answers about applicants and books, without a network where tokens are cached."""

import csv
from datetime import date
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from client.exchange.cache import TokenCache, wipe
from client.exchange.hits_file import COLUMNS, write_hits
from client.exchange.index import ListIndex
from client.exchange.screening import Findings, Screener, Source
from shared.blacklist.answer import Answer, Contributors, Recency, Strength
from shared.blacklist.reasons import ListClass, ReasonClass
from shared.blacklist.rows import Flag, Row, changes_of
from shared.errors import OperatorError
from shared.tokens.identifiers import IdentifierError
from tests.client.exchange.stand_in import CONTEXT, TODAY, StandIn, in_batches, row_of

RESIDENT, PHONE, CARD = "11010519491231002X", "13800138000", "4111111111111111"


class Lender:
    """One lender's folder with a list of some rows."""

    def __init__(self, folder: Path, rows: list[Row], epochs: tuple[int, ...] = (1,)) -> None:
        self.folder = folder
        self.index = ListIndex(folder / "list")
        self.index.replace(rows, 1)
        self.prfs = [StandIn(epoch) for epoch in epochs]

    def screener(self, *, online: bool = True) -> Screener:
        sources = [
            Source(
                prf.epoch,
                TokenCache(self.folder / "tokens", prf.epoch),
                in_batches(prf) if online else None,
            )
            for prf in self.prfs
        ]
        return Screener(CONTEXT, self.index, sources, today=TODAY)


def book_of(folder: Path, *lines: str) -> Path:
    path = folder / "book.csv"
    path.write_text("\n".join(["customer_ref,身份证号,手机号,银行卡号", *lines, ""]), "utf-8")
    return path


def test_an_answer_is_classes_and_bands(tmp_path: Path) -> None:
    """Two strong kinds of one subject, filed by three institutions, one of them disputed."""
    prf = StandIn()
    rows = [
        row_of(prf, "resident_id", RESIDENT, contributor=c, flags=f)
        for c, f in (("A", Flag.DISPUTED), ("B", 0), ("C", 0))
    ]
    lender = Lender(tmp_path, [*rows, row_of(prf, "bank_card", CARD)])
    found = lender.screener().look_up(
        {"resident_id": "110105491231002", "bank_card": "4111 1111 1111 1111", "phone": "无"}
    )
    assert found == Answer(
        hit_class=ListClass.FRAUD_CONFIRMED,
        reason_class=ReasonClass.FIRST_PARTY,
        severity=2,
        contributors=Contributors.SOME,
        recency=Recency.UNDER_3,
        strength=Strength.STRONG,
        disputed=True,
        annotated=False,
        protective=False,
        action_hint="review",
    )
    assert lender.screener().look_up({"resident_id": "11010519491231003" + "8"}) is None


def test_a_phone_alone_is_weak(tmp_path: Path) -> None:
    """What changes hands never makes more than a weak match."""
    lender = Lender(tmp_path, [row_of(StandIn(), "phone", PHONE)])
    found = lender.screener().look_up({"phone": PHONE, "bank_card": CARD})
    assert found is not None
    assert found.strength is Strength.WEAK


def test_a_lookup_of_a_bad_identifier_is_refused(tmp_path: Path) -> None:
    """A typing error is told, not answered with "not on the list"."""
    with pytest.raises(IdentifierError, match="check character"):
        Lender(tmp_path, []).screener().look_up({"resident_id": "110105194912310021"})


def test_a_book_is_screened_row_by_row_and_again_without_a_network(tmp_path: Path) -> None:
    """Hits stand with line and reference; the second screening asks nobody and reads no cell."""
    lender = Lender(
        tmp_path, [row_of(StandIn(), "resident_id", RESIDENT), row_of(StandIn(), "phone", PHONE)]
    )
    book = book_of(
        tmp_path,
        f"c1,{RESIDENT},{PHONE},",
        f"c2,,13900139000,{CARD}",
        "c3,110105194912310021,86-13800138000,",
    )
    screening = lender.screener().screen(book)
    assert [(hit.line, hit.ref, hit.answer.strength) for hit in screening.hits] == [
        (2, "c1", Strength.SINGLE),
        (4, "c3", Strength.WEAK),
    ]
    assert (screening.rows, screening.subjects, screening.asked) == (3, 4, 4)
    assert [(cell.line, cell.reason) for cell in screening.findings.bad] == [(4, "check_digit")]
    again = lender.screener(online=False).screen(book)
    assert again == screening.__class__(**{**screening.__dict__, "asked": 0})


def test_a_changed_book_asks_only_about_what_is_new(tmp_path: Path) -> None:
    """Known tokens are taken from the cache; without a network the new ones are an error."""
    lender = Lender(tmp_path, [row_of(StandIn(), "phone", "13900139000")])
    lender.screener().screen(book_of(tmp_path, f"c1,,{PHONE},"))
    changed = book_of(tmp_path, f"c1,,{PHONE},", "c2,,13900139000,")
    with pytest.raises(OperatorError, match="1 identifiers have no token of epoch 1"):
        lender.screener(online=False).screen(changed)
    screening = lender.screener().screen(changed)
    assert screening.asked == 1
    assert [hit.ref for hit in screening.hits] == ["c2"]


def test_an_interrupted_book_goes_on_where_it_was(tmp_path: Path) -> None:
    """Tokens that came before the key holders went away are not asked for twice."""
    lender = Lender(tmp_path, [])
    book = book_of(tmp_path, *(f"c{n},,138{n:08d}," for n in range(10)))
    prf = lender.prfs[0]

    def dying(inputs: list[bytes]) -> np.ndarray:
        if prf.asked >= 8:
            raise OperatorError("fewer than t key holders answer")
        return prf(inputs)

    source = Source(1, TokenCache(tmp_path / "tokens", 1), in_batches(dying, 4))
    with pytest.raises(OperatorError, match="fewer than t"):
        Screener(CONTEXT, lender.index, [source], today=TODAY).screen(book)
    assert lender.screener().screen(book).asked == 2
    assert prf.asked == 10


def test_what_is_odd_in_a_book_is_told_before_anybody_is_asked(tmp_path: Path) -> None:
    """Bad cells and warnings with line and column, also when the holders then fail; every cell of a
    warning counts, and the second screening, which reads no cell, tells the same.
    """
    lender = Lender(tmp_path, [])
    book = book_of(
        tmp_path,
        f"c1,{RESIDENT},{PHONE},4111111111111112",
        "c2,110105194912310021,,",
        "c3,,,4111111111111112",
    )

    def down(inputs: list[bytes]) -> np.ndarray:
        raise OperatorError("fewer than t key holders answer")

    told: list[Findings] = []
    source = Source(1, TokenCache(tmp_path / "tokens", 1), in_batches(down))
    with pytest.raises(OperatorError, match="fewer than t"):
        Screener(CONTEXT, lender.index, [source], today=TODAY).screen(book, told=told.append)
    lender.screener().screen(book, told=told.append)
    again = lender.screener(online=False).screen(book, told=told.append)
    assert told == [again.findings] * 3
    found = again.findings
    assert [(cell.line, cell.column, cell.reason) for cell in found.bad] == [
        (3, "身份证号", "check_digit")
    ]
    assert found.warnings == {"luhn": 2}
    assert [(cell.line, cell.column, cell.warning) for cell in found.warned] == [
        (2, "银行卡号", "luhn"),
        (4, "银行卡号", "luhn"),
    ]
    assert "4111111111111112" not in repr(found)


def test_many_odd_cells_are_all_counted_and_some_shown(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is kept of warnings does not grow with the book."""
    monkeypatch.setattr("client.exchange.book.MOST_WARNED", 3)
    lender = Lender(tmp_path, [])
    book = book_of(tmp_path, *(f"c{n},,,41111111111{n:05d}" for n in range(40)))
    found = lender.screener().screen(book).findings
    assert found.warnings["luhn"] > 30
    assert [cell.line for cell in found.warned] == sorted(cell.line for cell in found.warned)
    assert len(found.warned) == 3


def test_the_list_may_change_between_two_screenings(tmp_path: Path) -> None:
    """A delta is seen by the next screening of the same cached book."""
    lender = Lender(tmp_path, [])
    book = book_of(tmp_path, f"c1,{RESIDENT},{PHONE},")
    assert lender.screener().screen(book).hits == ()
    row = row_of(StandIn(), "phone", PHONE)
    lender.index.apply(changes_of([], [row]), 2)
    assert [hit.line for hit in lender.screener(online=False).screen(book).hits] == [2]
    lender.index.apply(changes_of([row.tag], []), 3)
    assert lender.screener(online=False).screen(book).hits == ()


def test_both_epochs_answer_while_keys_are_rotated(tmp_path: Path) -> None:
    """A subject listed under the old key or under the new one is found, and counted once."""
    old, new = StandIn(1), StandIn(2)
    rows = [row_of(old, "phone", PHONE), row_of(new, "phone", PHONE)]
    rows.append(row_of(new, "phone", "13900139000"))
    lender = Lender(tmp_path, rows, epochs=(1, 2))
    book = book_of(tmp_path, f"c1,,{PHONE},", "c2,,13900139000,", "c3,,13700137000,")
    screening = lender.screener().screen(book)
    assert [(hit.ref, hit.answer.contributors) for hit in screening.hits] == [
        ("c1", Contributors.FEW),
        ("c2", Contributors.FEW),
    ]
    wipe(tmp_path / "tokens", 1)
    lender.prfs = lender.prfs[1:]
    assert len(lender.screener(online=False).screen(book).hits) == 2


def test_a_record_that_does_not_open_is_counted(tmp_path: Path) -> None:
    """A contributor that seals rubbish makes neither a hit nor a crash, and is seen."""
    good = row_of(StandIn(), "phone", PHONE)
    rubbish = Row(good.tag, bytes(len(good.sealed)), 1)
    lender = Lender(tmp_path, [good, rubbish, row_of(StandIn(), "bank_card", CARD, context="x")])
    screening = lender.screener().screen(book_of(tmp_path, f"c1,,{PHONE},{CARD}"))
    assert screening.unreadable == 1
    assert [hit.answer.contributors for hit in screening.hits] == [Contributors.FEW]


def test_an_empty_book_has_no_hits(tmp_path: Path) -> None:
    """A header without rows is screened without asking anybody."""
    lender = Lender(tmp_path, [row_of(StandIn(), "phone", PHONE)])
    screening = lender.screener().screen(book_of(tmp_path))
    assert (screening.rows, screening.hits, screening.asked) == (0, (), 0)


@pytest.mark.parametrize("suffix", [".csv", ".parquet"])
def test_hits_are_written_for_people_and_programs(tmp_path: Path, suffix: str) -> None:
    """No identifier is in the file, no cell runs as a formula, dates and classes are plain text."""
    lender = Lender(
        tmp_path, [row_of(StandIn(), "resident_id", RESIDENT, event_end=date(2024, 1, 1))]
    )
    book = book_of(tmp_path, f"=cmd|' /C calc'!A0,{RESIDENT},,", f"c2,{RESIDENT},,")
    out = tmp_path / f"hits{suffix}"
    write_hits(lender.screener().screen(book).hits, out, book=book)
    assert RESIDENT.encode() not in out.read_bytes()
    if suffix == ".csv":
        assert out.read_bytes().startswith(b"\xef\xbb\xbf")
        rows = list(csv.DictReader(out.read_text("utf-8-sig").splitlines()))
        assert rows[0]["customer_ref"].startswith("'=")
        rows = [{**row, "line": int(row["line"])} for row in rows]
    else:
        rows = pd.read_parquet(out).to_dict("records")
    assert tuple(rows[1]) == COLUMNS
    about = [rows[1][name] for name in ("line", "customer_ref", "hit_class", "recency")]
    assert about == [3, "c2", "fraud_confirmed", "1_to_3_years"]
    assert rows[1]["action_hint"] == "review"


def test_hits_are_never_written_over_the_book(tmp_path: Path) -> None:
    """The output must be another file, of a kind that is known."""
    book = book_of(tmp_path)
    for out in (book, tmp_path / "hits.txt"):
        with pytest.raises(OperatorError):
            write_hits([], out, book=book)
    assert book.read_text("utf-8").startswith("customer_ref")
