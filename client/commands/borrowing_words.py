"""How borrowing elsewhere is said to a person, and examples of its commands."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta
from typing import TYPE_CHECKING

from client.commands.words import ago, counted, refusal_words, remedy_lines

if TYPE_CHECKING:
    from client.borrowing.desk import Contributed, Elsewhere
    from client.exchange.submissions import Settled
    from shared.borrowing.answer import Answer

_HEAD = "examples (--folder is the lender's folder; its exchange.toml has a section [borrowing]):\n"
_WITHOUT_DESK = "examples (--folder is the lender's folder, with an exchange.toml):\n"
_OTHER_HEADS = {
    "": "examples (--folder is the lender's folder; the first four commands need a section\n"
    "[borrowing] in its exchange.toml):\n",
    "columns": "examples:\n",
    "keep": _WITHOUT_DESK,
    "ask": _WITHOUT_DESK,
    "open": _WITHOUT_DESK,
    "give-up": "examples (--folder is the lender's folder):\n",
}
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
  lianfang-client borrowing screen today.csv --out features.parquet --every-cell --append

The second, for a model, on the day of the applications: later nobody can make their answers any
more. today.csv has application_id, applied_at (a date) and identifiers; rows of another day than
the table's are left out. What --append adds to is yours to keep and to back up; a .parquet, since a
spreadsheet that saves a .csv changes it, and such a file is not added to.
""",
    "columns": """\
  lianfang-client borrowing columns >> schema.toml         to go into the consortium's schema
  lianfang-client borrowing columns app_orgnum_m1_all loan_days_since
""",
    "keep": """\
  lianfang-client borrowing keep events.csv --folder /srv/lender     to answer batches from; no row
                                                                     of it leaves
""",
    "ask": """\
  lianfang-client borrowing ask applicants.csv --out batch.json --folder /srv/lender
                            then hand batch.json to the coordinator: run start … --asked batch.json
""",
    "open": """\
  lianfang-client borrowing open answer.json --out elsewhere.csv --folder /srv/lender
""",
    "give-up": """\
  lianfang-client borrowing give-up --folder /srv/lender                  what waits, what it costs
  lianfang-client borrowing give-up --operator "Li Na" --yes              one person's word
  lianfang-client borrowing give-up --operator "Wang Wei" --yes           another's: it is done
""",
}
_STATUS = """
Exit status: 0 done; 1 done, and somebody should look: many lenders in a short time, a page that was
refused, events or rows left out, cells that are no identifiers, a desk that is silent; 2 not done,
or not all: the message says why and what to do. With --json an error is also a line {"error": …,
"remedy": …} on standard output.
"""
_OTHER_STATUS = {
    "": f"{_STATUS}Of give-up: 1 nothing is given up yet.\n",
    "give-up": """
Exit status: 0 given up; 1 nothing is given up yet: a word, or --yes, is missing; 2 refused: the
message says why and what to do. With --json an error is also a line {"error": …, "remedy": …} on
standard output.
""",
}
_AGAIN = "what was on it is not at the desk, and is not sent again: then give its file again"
_NOT_TOLD = "was it another file, or an older key epoch?"
_OLD_FIRST = "the desk keeps what it was told first: --retract the old file, then give this again"
_SHOWN = 20
_ROWS = (
    ("lenders applied to", "app_orgnum"),
    ("applications", "app_allnum"),
    ("lenders with new loans", "loan_orgnum"),
)
WITHHELD = (
    "withheld: an answer from fewer than {least} other lenders would name one; this is not 'none'"
)
_TRIGGER = "look: {least} or more lenders were applied to in {days} days"


def examples(name: str = "") -> str:
    """Of this command; none: of all."""
    head, status = _OTHER_HEADS.get(name, _HEAD), _OTHER_STATUS.get(name, _STATUS)
    return head + (_OF[name] if name else "".join(_OF.values())) + status


def contributed_lines(done: Contributed, *, retract: bool) -> list[str]:
    """What left, and what of it was told before."""
    before = done.before
    what = "taken back" if retract else "contributed"
    head = (
        f"{counted(done.events, 'event')} {what}, as {counted(done.rows, 'row')} under tokens in "
        f"{counted(done.pages, 'page')}"
    )
    if retract:
        lines = [f"{head}: they are in the next table no more"]
        if before.new:
            lines.append(f"{counted(before.new, 'event')} of them not told from here: {_NOT_TOLD}")
        return lines
    changed = len(before.changed)
    split = f"{before.new:,} new, {before.told:,} told before, {changed:,} changed"
    lines = [f"{head}; they count from the next table on", split]
    if changed:
        where = ", ".join(map(str, before.changed[:_SHOWN])) + (" …" if changed > _SHOWN else "")
        lines.append(f"changed, not taken: line {where}; {_OLD_FIRST}")
    return lines


def refusal_lines(answers: Iterable[Settled]) -> list[str]:
    """Of pages that the desk did not take, and what to do; none where it took all."""
    refused = [one for one in answers if one.refusal]
    lines = [f"a page was refused: {refusal_words(str(one.refusal))}" for one in refused]
    lines += remedy_lines(one.remedy for one in refused)
    return [*lines, *([_AGAIN] if refused else [])]


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
    from client.borrowing.screening import is_known, is_withheld
    from shared.borrowing.answer import TRIGGERS
    from shared.borrowing.terms import LEAST_OF_CLASS, WINDOWS

    when = f"the table is of {found.day}, {ago(timedelta(days=age))}"
    if not is_known(found):
        return [f"no other lender told of this person; {when}"]
    lines = [f"other lenders told of this person; {when}"]
    for kind, answer in found.answers.items():
        lines += [f"by {kind.name.lower()}", *([] if answer is None else _answer_lines(answer))]
    if is_withheld(found):
        lines.append(WITHHELD.format(least=LEAST_OF_CLASS))
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
