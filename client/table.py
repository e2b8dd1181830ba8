"""A lender's own file as a checked table.

Invariants:
- The file is only ever read; nothing is written beside it and no cell is repaired.
- Every message names the line where the row begins in the file, also behind blank lines and cells
  with line breaks inside, and never a cell's text.
- Texts stay texts (`007` is not 7) until the schema says what they are.
"""

from __future__ import annotations

import csv
import gzip
import io
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet
from numpy.typing import NDArray

from client.check import suspicions
from client.database_table import DatabaseTable, read_database
from shared.errors import OperatorError
from shared.schema import CheckedTable, Schema, check_frame

_GZIP, _PARQUET = b"\x1f\x8b", b"PAR1"
_UTF8_MARK = b"\xef\xbb\xbf"
_NOT_A_TEXT = {
    b"PK\x03\x04": "a spreadsheet workbook or a zip archive",
    b"\xd0\xcf\x11\xe0": "an old spreadsheet workbook",
    b"\xff\xfe": "UTF-16 text",
    b"\xfe\xff": "UTF-16 text",
}
MOST_BYTES, MOST_RATIO, MOST_CELLS = 8 << 30, 500, 2_000_000_000
_DELIMITERS = ",;\t"
_RAGGED_SHOWN = 5


@dataclass(frozen=True, eq=False)
class RawTable:
    """Rows before checking: cells as texts (CSV) or typed (Parquet, database), absent ones null.

    `lines[i]` is the line on which row i begins (Parquet: its number, counting from 1; database:
    its number in order of the row key); `encoding` is how the text was read, empty if it was none.
    """

    frame: pd.DataFrame
    source: str
    lines: NDArray[np.int64]
    encoding: str

    def checked(self, schema: Schema, *, labelled: bool = True) -> CheckedTable:
        """The rows as a table of `schema`, with warnings; OperatorError with all findings."""
        checked = check_frame(
            self.frame, schema, source=self.source, lines=self.lines, labelled=labelled
        )
        return CheckedTable(checked.table, (*checked.warnings, *suspicions(checked.table)))


def read_table(
    path: str | Path | DatabaseTable, schema: Schema, *, labelled: bool = True
) -> CheckedTable:
    """Read and check a CSV (.csv, .tsv, gzipped or not) or Parquet file, or a database's table; see
    docs/schema.md.

    Raises OperatorError that lists everything wrong with it; `labelled=False` is for applicants who
    have no outcome yet.
    """
    if isinstance(path, DatabaseTable):
        frame = read_database(path, schema, labelled=labelled)
        lines = np.arange(1, len(frame) + 1, dtype=np.int64)
        return RawTable(frame, path.source, lines, "").checked(schema, labelled=labelled)
    return read_raw(path).checked(schema, labelled=labelled)


def read_raw(path: str | Path) -> RawTable:
    """Read a file without a schema. Raises OperatorError when it is not a well-formed table."""
    path = Path(path)
    try:
        content = path.read_bytes()
        if content.startswith(_GZIP):
            content = _unpacked(content, path.name)
    except (OSError, EOFError, zlib.error) as error:
        raise OperatorError(
            f"{path.name}: cannot be read ({_why(error)})",
            remedy="check that the file exists, may be read, and was copied completely",
        ) from error
    if content.startswith(_PARQUET):
        return _from_parquet(content, path.name)
    if path.suffix == ".parquet":
        raise OperatorError(
            f"{path.name}: it is not Parquet, though it is called so",
            remedy="name a text file .csv, or save the table as Parquet again",
        )
    return _from_csv(content, path.name)


def _why(error: Exception) -> str:
    if isinstance(error, FileNotFoundError):
        return "there is no such file"
    if isinstance(error, IsADirectoryError):
        return "it is a folder"
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    return "it is cut off or damaged"  # gzip


def _unpacked(content: bytes, source: str) -> bytes:
    """A gzipped text, up to `MOST_BYTES`: a few kB can claim to be terabytes."""
    with gzip.GzipFile(fileobj=io.BytesIO(content)) as file:
        text = file.read(min(MOST_BYTES, MOST_RATIO * len(content)) + 1)
    if len(text) > min(MOST_BYTES, MOST_RATIO * len(content)):
        raise _too_large(source)
    return text


def _too_large(source: str) -> OperatorError:
    return OperatorError(
        f"{source}: unpacks to more than {MOST_BYTES >> 30} GB, or to {MOST_RATIO} times its size",
        remedy="split the table into several lenders' files, or save it unpacked",
    )


def _from_parquet(content: bytes, source: str) -> RawTable:
    try:
        file = pyarrow.parquet.ParquetFile(pa.BufferReader(content))
        about = file.metadata
        if about.num_rows * max(1, about.num_columns) > MOST_CELLS:
            raise _too_large(source)
        odd = [f.name for f in file.schema_arrow if not _is_plain(f.type)]
        if odd:
            raise OperatorError(
                f"{source}: columns of a kind that is no table cell: {', '.join(odd[:10])}",
                remedy="export plain numbers, texts, booleans and dates",
            )
        # The writer's pandas metadata could hide a column in the index; a header is a header.
        frame = file.read().to_pandas(ignore_metadata=True)
    except (pa.ArrowException, OSError, ValueError, OverflowError):
        raise OperatorError(
            f"{source}: is a damaged Parquet file", remedy="export or copy the file again"
        ) from None
    return RawTable(frame, source, np.arange(1, len(frame) + 1, dtype=np.int64), "")


def _is_plain(kind: pa.DataType) -> bool:
    """Whether cells of an Arrow type are one number, text, boolean or date each."""
    if pa.types.is_dictionary(kind):
        return _is_plain(kind.value_type)
    tests = (
        *(pa.types.is_integer, pa.types.is_floating, pa.types.is_boolean, pa.types.is_decimal),
        *(pa.types.is_string, pa.types.is_large_string, pa.types.is_date, pa.types.is_timestamp),
        *(pa.types.is_null, pa.types.is_string_view),
    )
    return any(test(kind) for test in tests)


def _from_csv(content: bytes, source: str) -> RawTable:
    content, encoding = _as_utf8(content, source)
    delimiter, headers = _header(content, source)
    if not content.endswith((b"\n", b"\r")):
        content += b"\n"  # the parser takes a header without a line end for no table
    frame = _parsed(content, delimiter, headers, source)
    return RawTable(frame, source, _lines(content, delimiter, len(frame), source), encoding)


def _as_utf8(content: bytes, source: str) -> tuple[bytes, str]:
    """The text as UTF-8 without byte order mark, and the encoding it came in."""
    for mark, kind in _NOT_A_TEXT.items():
        if content.startswith(mark):
            raise OperatorError(
                f"{source}: is {kind}, not a CSV or Parquet file",
                remedy="save it as 'CSV UTF-8' and use that file",
            )
    body = content.removeprefix(_UTF8_MARK)
    try:
        body.decode("utf-8")
        return body, "utf-8-sig" if len(body) < len(content) else "utf-8"
    except UnicodeDecodeError as error:
        not_utf8 = error
    try:
        return body.decode("gb18030").encode("utf-8"), "gb18030"
    except UnicodeDecodeError as not_gb18030:
        at = not_utf8.start + len(content) - len(body)
        line = content.count(b"\n", 0, at) + 1
        raise OperatorError(
            f"{source}: line {line}, byte {at:,}: the text is neither UTF-8 nor GB 18030 "
            f"(that fails at byte {not_gb18030.start + len(content) - len(body):,})",
            remedy="export the file as UTF-8; do not convert it by opening and saving it",
        ) from None


def _header(content: bytes, source: str) -> tuple[str, list[str]]:
    """Delimiter and header texts; the delimiter is the one of , ; tab that gives most headers."""
    # Lenient: quotes pair only under the right delimiter, and that is not known yet.
    readers = [_records(content, mark, source, strict=False) for mark in _DELIMITERS]
    found = list(zip(_DELIMITERS, (next(r, (0, []))[1] for r in readers), strict=True))
    delimiter, headers = max(found, key=lambda pair: len(pair[1]))
    if not headers or b"\0" in content:
        raise OperatorError(
            f"{source}: {'holds zero bytes' if headers else 'is empty'}",
            remedy="export the table again, with a header line, as 'CSV UTF-8'",
        )
    return delimiter, headers


def _parsed(content: bytes, delimiter: str, headers: list[str], source: str) -> pd.DataFrame:
    """All cells as texts, empty ones null; columns in the file's order, doubles included."""
    try:
        table = pyarrow.csv.read_csv(
            pa.BufferReader(content),
            read_options=pyarrow.csv.ReadOptions(block_size=1 << 24),
            parse_options=pyarrow.csv.ParseOptions(delimiter=delimiter, newlines_in_values=True),
            convert_options=pyarrow.csv.ConvertOptions(
                column_types=dict.fromkeys(headers, pa.string()),
                null_values=[""],
                strings_can_be_null=True,
            ),
        )
    except pa.ArrowException:
        # Its text quotes the row, so it is neither shown nor chained.
        raise _malformed(content, delimiter, len(headers), source) from None
    frame: pd.DataFrame = table.to_pandas(
        types_mapper={pa.string(): pd.StringDtype(na_value=np.nan)}.get
    )
    frame.columns = pd.Index(headers)
    return frame


def _malformed(content: bytes, delimiter: str, width: int, source: str) -> OperatorError:
    """Which lines do not have as many cells as the header."""
    shown: list[str] = []
    total = 0
    for line, record in _records(content, delimiter, source):
        if len(record) != width:
            total += 1
            shown += [f"  line {line}: {len(record)} cells"] * (total <= _RAGGED_SHOWN)
    if total > _RAGGED_SHOWN:
        shown.append(f"  … and {total - _RAGGED_SHOWN:,} more lines")
    return OperatorError(
        "\n".join([f"{source}: not every line has the header's {width} cells", *shown]),
        remedy='a text with the delimiter or a quote inside must stand in "quotes", quotes inside '
        "doubled; let the export do that",
    )


def _records(
    content: bytes, delimiter: str, source: str, *, strict: bool = True
) -> Iterator[tuple[int, list[str]]]:
    """The non-blank records, each with the line it begins on (from 1)."""
    text = io.TextIOWrapper(io.BytesIO(content), encoding="utf-8", newline="")
    reader = csv.reader(text, delimiter=delimiter, strict=strict)
    begins = 1
    try:
        for record in reader:
            if record:
                yield begins, record
            begins = reader.line_num + 1
    except csv.Error:
        raise OperatorError(
            f"{source}: the quotes of the record that begins on line {begins} do not pair",
            remedy="close the quote, or double it if it belongs to the text",
        ) from None


def _lines(content: bytes, delimiter: str, rows: int, source: str) -> NDArray[np.int64]:
    """The line each row begins on; the slow scan only where lines and rows do not correspond."""
    plain = content.count(b"\n") + (not content.endswith(b"\n"))
    if plain == rows + 1 and content.count(b"\r") == content.count(b"\r\n"):
        return np.arange(2, rows + 2, dtype=np.int64)
    begins = [line for line, _ in _records(content, delimiter, source)][1:]
    if len(begins) != rows:
        raise OperatorError(
            f"{source}: it is not clear where its {rows:,} rows begin and end",
            remedy="look for stray quotes and line breaks inside cells; export the file again",
        )
    return np.array(begins, dtype=np.int64)
