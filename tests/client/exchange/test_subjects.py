"""Files of subjects: everything that is wrong is told at once, what is odd is handed on."""

from __future__ import annotations

import secrets
from datetime import date
from pathlib import Path

import pytest

from client.exchange.bad_rows import SHOWN, BadRow, refuse
from client.exchange.filed import Filed, FiledEntry
from client.exchange.filing import Writer, refuse_repeated
from client.exchange.filing_terms import FilingTerms, read_terms
from client.exchange.secret import read_secret
from client.exchange.subjects import Subject, read_subject, read_subjects
from shared.errors import OperatorError
from shared.tokens.identifiers import Canonical
from tests.client.exchange.test_filed import IDENTITY, TODAY, WORDS, record_of
from tests.exchange_parties import PEOPLE

CARD, ODD_CARD = "4111111111111111", "4111111111111112"


def subjects(folder: Path, *rows: str) -> list[Subject]:
    path = folder / "cases.csv"
    path.write_text("\n".join(["resident_id,bank_card", *rows]) + "\n")
    return read_subjects(path, today=TODAY, columns={})


def test_bad_cells_and_empty_rows_are_told_together(tmp_path: Path) -> None:
    """By line, masked; with the last of them mended the file is read (control)."""
    good, bad = PEOPLE[0].resident_id, PEOPLE[1].resident_id[:-2] + "xx"
    rows = [f"{good},", ",", f"{bad},", f"{good},4111", ",,"[:1]]
    with pytest.raises(OperatorError) as told:
        subjects(tmp_path, *rows)
    text = told.value.what
    assert text.startswith("cases.csv: 4 rows or cells are wrong\n")
    at = [text.index(f"  line {line}: ") for line in (3, 4, 5, 6)]
    assert at == sorted(at)
    assert bad not in text
    assert len(subjects(tmp_path, f"{good},", f",{CARD}")) == 2


def test_many_bad_rows_end_with_a_count(tmp_path: Path) -> None:
    """Twenty are shown."""
    with pytest.raises(OperatorError) as told:
        subjects(tmp_path, *["x,"] * 25)
    assert len(told.value.what.splitlines()) == 1 + SHOWN + 1
    assert "and 5 more" in told.value.what
    with pytest.raises(OperatorError, match="file: line 3: bad"):
        refuse([BadRow(3, "bad")], "file", "mend it")
    refuse([], "file", "mend it")


def test_what_is_odd_comes_with_its_subject(tmp_path: Path) -> None:
    """In a file with its line, alone with its kind; masked, and filed as it is."""
    first, second = subjects(tmp_path, f",{ODD_CARD}", f",{CARD}")
    (cell,) = first.warnings
    assert (cell.line, cell.column, cell.warning) == (2, "bank_card", "luhn")
    assert ODD_CARD not in cell.text
    assert second.warnings == ()
    alone = read_subject([("bank_card", ODD_CARD), ("bank_card", ODD_CARD)], TODAY)
    (cell,) = alone.warnings
    assert (cell.line, cell.column, cell.warning) == (0, "bank_card", "luhn")
    assert alone.identifiers == (Canonical("bank_card", ODD_CARD),)


def terms_in(folder: Path) -> FilingTerms:
    (folder / "case.txt").write_text("a case")
    return read_terms(WORDS, ["statement=case.txt"], folder)


def held(*pairs: tuple[str, str], line: int = 0) -> Subject:
    return Subject(read_subject(pairs, TODAY).identifiers, line)


def test_a_subject_is_known_by_any_strong_identifier(tmp_path: Path) -> None:
    """Filed with a number and a telephone: the number with other things beside it is the same
    subject, also as part of an own file; the telephone alone is not (control). What supersedes is
    let through.
    """
    record, one = record_of(tmp_path, 0), terms_in(tmp_path)
    filed = Filed(tmp_path, read_secret(tmp_path, secrets.token_bytes), secrets.token_bytes)
    filed.keep([record])
    number, phone = ("resident_id", PEOPLE[0].resident_id), ("phone", PEOPLE[0].phone)
    other = [held(number, ("bank_card", CARD), line=2), held(number, line=5), held(phone, line=6)]
    with pytest.raises(OperatorError) as told:
        refuse_repeated(other, [one] * 3, filed, again=False)
    text = told.value.what
    assert record.entry.entry_id.hex() in text
    assert "line 5: the same subject and reason as line 2" in text
    assert "line 6" not in text
    refuse_repeated(other[2:], [one], filed, again=False)
    refuse_repeated(other[:1], [one], filed, again=True)
    with pytest.raises(OperatorError, match="as line 2"):
        refuse_repeated(other[:2], [one] * 2, filed, again=True)
    filed.answered(record.entry.entry_id, taken=False)
    refuse_repeated(other[:1], [one], filed, again=False)
    filed.close()


def test_all_that_fail_the_listing_test_are_told(tmp_path: Path) -> None:
    """Lines 2 and 4 have an event to come; nothing is made of the file. Without them there is
    something for each (control).
    """
    import numpy as np

    writer = Writer(IDENTITY, "R1", read_secret(tmp_path, secrets.token_bytes), secrets.token_bytes)
    good = terms_in(tmp_path)
    late = {"event-date": str(date(TODAY.year + 1, 1, 1))}
    bad = read_terms(WORDS | late, ["statement=case.txt"], tmp_path)
    some = [held(("resident_id", PEOPLE[n].resident_id), line=2 + n) for n in range(3)]
    outputs = np.frombuffer(secrets.token_bytes(64 * 3), np.uint8).reshape(-1, 64)

    def made(*terms: FilingTerms) -> list[FiledEntry]:
        return writer.filings(
            some, terms, outputs, epoch=1, maker=writer.secret.operator("Li Na"), today=TODAY,
            supersedes=None,
        )[0]  # fmt: skip

    with pytest.raises(OperatorError) as told:
        made(bad, good, bad)
    lines = told.value.what.splitlines()
    assert [line[:8] for line in lines[1:]] == ["  line 2", "  line 4"]
    assert [one.identifiers for one in made(good, good, good)] == [one.identifiers for one in some]
