"""What a copy of the borrowing desk's files shows, and how versions of a table differ."""

from __future__ import annotations

import random
from hashlib import sha256

import numpy as np

from server.borrowing import publishing
from shared.borrowing.rows import ROW_BYTES, TAG_BYTES, ledger_of, tags_of
from shared.borrowing.terms import IdKind
from shared.borrowing.tokens import subject_tokens
from shared.tokens.identifiers import canonical, token_input
from tests.borrowing_members import CONTEXT, Borrowers, applied, output_of
from tests.identities import NOW
from tests.server.borrowing.told_desk import PEOPLE, files_of, rows_of, told


def token_of(number: str) -> bytes:
    """A person's subject token, as who has the key holders' output makes it."""
    one = canonical("resident_id", number, today=NOW.date())
    output = output_of(token_input(f"{CONTEXT}/ring", one))
    outputs = np.frombuffer(output, np.uint8).reshape(1, -1)
    return subject_tokens(ledger_of(CONTEXT, 1), outputs)[0].tobytes()


def guesses(number: str) -> set[bytes]:
    """What a thief who knows all of this project, and an identifier, can make of it without the
    holders' key: hashes of it, alone, as it is asked, and as an output would be hashed.
    """
    one = canonical("resident_id", number, today=NOW.date())
    texts = [number.encode(), one.value.encode(), token_input(f"{CONTEXT}/ring", one)]
    texts.append(token_input(CONTEXT, one))
    found = {sha256(text).digest() for text in texts}
    for text in texts:
        plain = np.frombuffer(sha256(text).digest() * 2, np.uint8).reshape(1, -1)
        found.add(subject_tokens(ledger_of(CONTEXT, 1), plain)[0].tobytes())
    return found


def test_after_its_term_nothing_of_an_event_is_left_in_any_file(four: Borrowers) -> None:
    """180 days after it happened it still answers; a day later its token is in no byte of the
    desk's files, and nobody is told of it.
    """
    told(four, lambda code: PEOPLE[:1])
    token = token_of(PEOPLE[0].resident_id)
    four.publish(days=179)
    assert token in files_of(four)
    assert four["L01"].check(PEOPLE[0]).answers[IdKind.ID] is not None
    four.publish(days=1)
    assert token not in files_of(four)
    assert rows_of(four) == []
    assert four.desk.desk.latest().rows == 0  # type: ignore[union-attr]
    assert four["L01"].check(PEOPLE[0]).answers[IdKind.ID] is None


def test_a_stolen_database_gives_no_hit_to_a_dictionary(four: Borrowers) -> None:
    """Every person of it is in the dictionary: 0 hits in database and table; with the key holders'
    outputs (the control) every one of them is found in both.
    """
    told(four, lambda code: PEOPLE[:20])
    four.publish()
    stolen = files_of(four)
    head = four.desk.desk.latest()
    assert head is not None
    table = np.asarray(four.desk.desk.table(head.version)).reshape(-1, ROW_BYTES)
    tags = {row.tobytes() for row in table[:, :TAG_BYTES]}

    def found(names: set[bytes]) -> int:
        named = np.frombuffer(b"".join(names), np.uint8).reshape(-1, 32)
        derived = {row.tobytes() for row in tags_of(named, head.salt)}
        return sum(name in stolen for name in names) + len(derived & tags)

    assert sum(found(guesses(one.resident_id)) for one in PEOPLE[:20]) == 0
    assert sum(found({token_of(one.resident_id)}) for one in PEOPLE[:20]) == 40


def made_by(four: Borrowers, salt: bytes, *, as_told: bool = False) -> tuple[np.ndarray, ...]:
    """Tags (r, 32) of a version with this salt in the order of publication, or lender after lender,
    and the lender each belongs to, -1 for general ones: what only the desk knows.
    """
    with four.desk.store.transaction() as connection:
        there = publishing.Published.read(connection, four.desk.terms.classes)
    records = publishing.records_of(there.events, four.clock().date().toordinal(), there.classes)
    tags = tags_of(publishing.names_of(there, records), salt)
    order = np.lexsort([records.lender] if as_told else tags.T[::-1])
    return tags[order], records.lender[order]


def accuracy(seen: np.ndarray, lender: np.ndarray) -> float:
    """How often the lender of an own row is guessed from what is seen of it, (r,): by its nearest
    neighbours among every other row, whose lenders are known.
    """
    own = np.flatnonzero(lender >= 0)
    learn, ask = own[::2], own[1::2]
    near = np.abs(seen[ask][:, None] - seen[learn][None]).argsort(axis=1)[:, :5]
    guessed = [np.bincount(lender[learn][row]).argmax() for row in near]
    return float(np.mean(np.array(guessed) == lender[ask]))


def test_rows_do_not_say_which_lender_knows_whom(four: Borrowers) -> None:
    """A classifier on a row's place, or its tag, guesses no better than 1/N + 5 points; with rows
    lender after lender (the control) it is right. All rows have one size.
    """
    draw = random.Random(2)
    told(four, lambda code: draw.sample(PEOPLE, 40))
    versions = [made_by(four, bytes([n]) * 32) for n in range(1, 13)]
    by_place = [accuracy(np.arange(len(tags)), lender) for tags, lender in versions]
    by_tag = [accuracy(tags[:, 1].astype(int), lender) for tags, lender in versions]
    assert max(np.mean(by_place), np.mean(by_tag)) <= 1 / 4 + 0.05
    tags, lender = made_by(four, bytes(32), as_told=True)
    assert accuracy(np.arange(len(tags)), lender) > 0.9


def test_nobody_sees_which_rows_change_together(four: Borrowers) -> None:
    """Nothing of one version is in the next, so rows of one subject cannot be joined by the days
    on which they change; with one salt for all (the control) the rows that change are one
    subject's, and as many as lenders know it.
    """
    told(four, lambda code: PEOPLE[:30])
    four.publish()
    versions = []
    for _ in range(2):
        head = four.desk.desk.latest()
        assert head is not None
        rows = np.array(four.desk.desk.table(head.version)).reshape(-1, ROW_BYTES)
        versions.append(rows)
        four["L01"].contribute([applied(PEOPLE[3], four.day(0), "new")])
        four.publish()
    first, second = ({row[:TAG_BYTES].tobytes() for row in rows} for rows in versions)
    assert first & second == set()
    assert {row.tobytes()[TAG_BYTES:] for row in versions[0]}.isdisjoint(
        row.tobytes()[TAG_BYTES:] for row in versions[1]
    )
    before = {tag.tobytes() for tag in made_by(four, bytes(32))[0]}
    for code in ("L02", "L03"):
        four[code].contribute([applied(PEOPLE[40], four.day(0), "B")])
    after = {tag.tobytes() for tag in made_by(four, bytes(32))[0]}
    assert len(after - before) == 2 * 3  # the control: two lenders and the general one
