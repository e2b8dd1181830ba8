"""The end of a batch that never comes is given up, by two persons at this lender.

    waits ──one person──► word ──another──► given up: other batches are answered again

    own/borrowing/asked/TERMS.word      who was first: a keyed mark (`client/exchange/secret.py`)
    own/outbox.jsonl                    the second word: a line that is never taken back
    own/borrowing/asked/TERMS.closed    then the node goes on

Invariants:
- Only the end that this lender waits for can be given up; where it waits for none, nothing is.
- Two persons say so, since what is lost is not this lender's alone: a coordinator that told lenders
  different stories could read one lender's numbers, and goes undetected. It is one sum each time.
- The batch counts as over: it is not answered again, or its numbers, which are the same each time,
  could be told apart over fewer lenders.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path

from client.borrowing.asked_book import AskedBook
from client.exchange.secret import read_secret
from client.outbox import Outbox
from client.outbox_table import read_outbox
from client.settings import member_named
from client.terms import accepted_terms, read_consortium
from shared.borrowing.batch import Batch, rows_name
from shared.errors import OperatorError
from shared.secure_sum.history import History, Record
from shared.training.asked_run import AskedTerms
from shared.training.consortium import FILE as CONSORTIUM
from shared.training.consortium import Consortium


@dataclass(frozen=True)
class Waiting:
    """A batch whose end was not heard here. `terms`: of its run, hex; `asker`: empty where the
    terms are kept no more; `lenders`: of the sum, as they were told here; `words`: of two.
    """

    terms: str
    asker: str
    at: datetime
    lenders: tuple[str, ...]
    words: int

    @property
    def costs(self) -> tuple[str, ...]:
        """What giving it up costs, a sentence each."""
        return (
            "nobody will learn whether all lenders were told the same of this sum: had the "
            "coordinator told some another story, it has read one lender's exact numbers about 64 "
            "people, and could do so once more with each batch that is given up",
            "this batch is not answered again: unless the coordinator can bring it to its end now, "
            "its asker has to ask anew",
            "it cannot be taken back, and stays in your outbox",
        )


def waiting(folder: Path) -> Waiting | None:
    """What this lender waits for; None: it answers the next batch. OperatorError."""
    consortium, history = _consortium(folder), History()
    when: dict[str, datetime] = {}
    for entry in read_outbox(folder).entries:
        history.take(entry.record)
        if entry.record.kind == "answer":
            when.setdefault(entry.record.round, entry.at)
    book = _book(folder)
    record = book.unclosed(history, rows_name(consortium.name))
    if record is None:
        return None
    batch, terms = _batch(folder, consortium, record.agreement), record.agreement
    asker, words = batch.asker if batch else "", 1 if book.first_word(terms) else 0
    return Waiting(terms, asker, when[record.round], record.lenders, words)


def give_up(
    folder: Path,
    operator: str,
    *,
    clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    random: Callable[[int], bytes] = secrets.token_bytes,
) -> Waiting:
    """One person's word, by name: the first is kept, with the second it is done. What was waited
    for, with the words there are now.

    OperatorError, and nothing is changed, where this lender waits for nothing, or the same person
    says it twice.
    """
    found = waiting(folder)
    if found is None:
        raise nothing_waits(folder)
    mark = read_secret(folder / "own" / "filed", random).operator(operator)
    outbox, book = Outbox(folder / "own" / "outbox.jsonl", clock), _book(folder)
    try:
        with outbox.locked():
            record = book.unclosed(outbox.history, rows_name(_consortium(folder).name))
            if record is None or record.agreement != found.terms:  # heard meanwhile
                raise nothing_waits(folder)
            first = book.first_word(found.terms)
            if not first:
                book.take_word(found.terms, mark)
                return replace(found, words=1)
            if first == mark:
                raise _same_person()
            outbox.append(_line(record, first, mark))
            batch = _batch(folder, _consortium(folder), found.terms)
            own = batch is not None and batch.asker == member_named(folder)
            book.close(batch, found.terms, own=own)
    finally:
        outbox.close()
    return replace(found, words=2)


def _book(folder: Path) -> AskedBook:
    return AskedBook(folder / "own" / "borrowing" / "asked")


def _consortium(folder: Path) -> Consortium:
    return read_consortium(folder / CONSORTIUM)


def _same_person() -> OperatorError:
    return OperatorError(
        "the same person has said so already",
        remedy="another one here has to look at it, and say so under another name",
    )


def nothing_waits(folder: Path) -> OperatorError:
    """What to tell where there is nothing to give up."""
    return OperatorError(
        f"{folder}: the end of every batch that was answered here was heard, or given up",
        remedy="there is nothing to give up; lianfang-client outbox --refusals says why a batch "
        "was refused",
    )


def _line(record: Record, first: bytes, second: bytes) -> Record:
    return Record(
        kind="given-up",
        purpose=f"two persons here gave up the proof of a sum of {len(record.lenders)} lenders",
        content=sha256(bytes.fromhex(record.agreement) + first + second).hexdigest(),
        size=0,
        agreement=record.agreement,
        lenders=record.lenders,
        rows=record.rows,
    )


def _batch(folder: Path, consortium: Consortium, terms: str) -> Batch | None:
    """The batch of a run, while its terms are kept."""
    try:
        found = accepted_terms(folder, consortium, terms)
    except OperatorError:
        return None
    return found.batch if isinstance(found, AskedTerms) else None
