"""How borrowing elsewhere is said to a person, and examples of its commands."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from client.commands.words import ago

if TYPE_CHECKING:
    from client.borrowing.desk import Elsewhere
    from shared.borrowing.answer import Answer

_HEAD = "examples (--folder is the lender's folder; its exchange.toml has a section [borrowing]):\n"
_OF = {
    "contribute": """\
  lianfang-client borrowing contribute events.csv --folder /srv/lender
  lianfang-client borrowing contribute wrong.csv --retract

events.csv has a row for each application, loan opened or loan closed:
  event,day,reference,amount,resident_id,phone
  application,2026-01-30 23:15,A-1001,,110101199003070011,13800138000
  loan_opened,2026-01-31,K-2001,20000,110101199003070011,13800138000
  loan_closed,2026-06-30,K-2001,,110101199003070011,
reference is your own number; a closing has its opening's. The same row given again counts once.
Amounts leave as bands, identifiers never.
""",
    "sync": """\
  lianfang-client borrowing sync --folder /srv/lender           daily, after contributing
""",
    "check": """\
  lianfang-client borrowing check --folder /srv/lender --resident-id -  --phone -
""",
    "screen": """\
  lianfang-client borrowing screen book.csv --out elsewhere.csv --folder /srv/lender
  lianfang-client borrowing screen book.parquet --out features.parquet --every-cell
""",
}
_STATUS = """
Exit status: 0 done; 1 done, and somebody should look: many lenders in a short time, a page that was
refused, cells that are no identifiers, a desk that is silent; 2 not done, or not all: the message
says why and what to do. With --json an error is also a line {"error": …, "remedy": …} on standard
output.
"""
_ROWS = (
    ("lenders applied to", "app_orgnum"),
    ("applications", "app_allnum"),
    ("lenders with new loans", "loan_orgnum"),
)
_TRIGGER = "look: {least} or more lenders were applied to in {days} days"


def examples(*names: str) -> str:
    """Of these commands; none: of all."""
    return _HEAD + "".join(_OF[name] for name in names or _OF) + _STATUS


def plain_answers(found: Elsewhere) -> dict[str, dict[str, int] | None]:
    """By kind of identifier every cell's band, as JSON has them; None: no record."""
    from shared.borrowing.cells import CELL_NAMES

    return {
        kind.name.lower(): None
        if answer is None
        else dict(zip(CELL_NAMES, answer.cells, strict=True))
        for kind, answer in found.answers.items()
    }


def elsewhere_lines(found: Elsewhere, age: int) -> list[str]:
    """What is known, a line each."""
    from client.borrowing.screening import is_known
    from shared.borrowing.answer import TRIGGERS
    from shared.borrowing.terms import WINDOWS

    when = f"the table is of {found.day}, {ago(timedelta(days=age))}"
    if not is_known(found):
        return [f"no other lender told of this person; {when}"]
    lines = [f"other lenders told of this person; {when}"]
    for kind, answer in found.answers.items():
        lines += [f"by {kind.name.lower()}", *([] if answer is None else _answer_lines(answer))]
    for window, least, _ in TRIGGERS:
        if window in found.triggered:
            lines.append(_TRIGGER.format(least=least, days=WINDOWS[window]))
    return [*lines, "bands of other lenders only; a reason for a person to look, never a decision"]


def _answer_lines(answer: Answer) -> list[str]:
    from shared.borrowing.cells import CELL_NAMES
    from shared.borrowing.terms import WINDOWS

    words = answer.words()
    lines = []
    for text, what in _ROWS:
        told = [
            f"{days} days {words[f'{what}_{window}_all']}"
            for window, days in WINDOWS.items()
            if f"{what}_{window}_all" in CELL_NAMES
        ]
        lines.append(f"  {text:<24} {' · '.join(told)}")
    lines.append(f"  {'lenders with open loans':<24} {words['open_orgnum_all']}")
    return lines
