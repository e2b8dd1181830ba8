"""A look at the lender's rows when its node starts: a table that no run can read is told then, and
not at the first question.

Invariants:
- Nothing is kept of what is read, and nothing is changed. What is wrong ends nothing: whoever mends
  the table need not start the node again.
- The log has what `lianfang-client doctor` says of the table, with masked values.
"""

from __future__ import annotations

import logging
from pathlib import Path

from client.logs import kind_and_place
from shared.errors import LianfangError
from shared.training.consortium import FILE as CONSORTIUM

_log = logging.getLogger("lianfang.table")


def look_at_table(folder: Path) -> None:
    """Read the table of a lender's folder as a run would. A folder that joined no consortium has no
    terms to read it by.
    """
    if not (folder / CONSORTIUM).is_file():
        return
    try:
        rows = _rows(folder)
    except LianfangError as error:
        told = "the table cannot be used, and every question is refused until it is mended: %s"
        _log.error(told, error)
    except Exception as error:  # noqa: BLE001 - its text may quote rows
        _log.error("the table could not be looked at: %s", kind_and_place(error))
    else:
        _log.info("the table can be used: %d rows", rows)


def _rows(folder: Path) -> int:
    from client.doctor.rows import table_of
    from client.table import read_table
    from client.terms import read_consortium

    schema = read_consortium(folder / CONSORTIUM).schema
    return read_table(table_of(folder), schema).table.rows
