"""Borrowing elsewhere, from files of events to answers: lenders and a desk in this process."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest

from client.borrowing import desk_client
from client.borrowing.screening import screen
from client.borrowing.told_before import Before
from client.commands.borrowing_words import elsewhere_lines
from server.borrowing.desk import Terms
from server.demo.identities import Person, people
from shared.borrowing.terms import NO_RECORD, WINDOWS, IdKind, LenderClass
from shared.errors import OperatorError, PeerError
from shared.wire import borrowing_pb2 as wire
from tests.borrowing_members import Borrowers, applied, borrowers

PEOPLE = people(30, seed=3)
CODES = tuple(f"L{number:02}" for number in range(1, 9))
OF = {code: "BANK" if code < "L05" else "CONS" for code in CODES}


@pytest.fixture
def four(tmp_path: Path) -> Iterator[Borrowers]:
    with borrowers(tmp_path) as made:
        yield made


def band(count: int) -> int:
    """Of a count, written down anew: 0, 1, 2, 3–4, 5–7, 8+."""
    return [0, 1, 2, 3, 3, 4, 4, 4][count] if count < 8 else 5


class Story:
    """Random events of each lender, and what is to be told of them, counted by hand."""

    def __init__(self, today: date) -> None:
        draw = random.Random(5)
        self.today = today
        self.events: list[tuple[str, Person, str, date, str, bool]] = []
        for number in range(700):
            person, code = draw.choice(PEOPLE[:24]), draw.choice(CODES)
            both = draw.random() < 0.7  # else no phone is given
            day = today - timedelta(days=int(180 * draw.random() ** 2))
            if draw.random() < 0.7:
                self.events.append((code, person, "application", day, f"A{number}", both))
                continue
            opened = today - timedelta(days=draw.randrange(600))
            self.events.append((code, person, "loan_opened", opened, f"K{number}", both))
            if draw.random() < 0.6:
                closed = opened + timedelta(days=draw.randrange(1, 500))
                if closed <= today:
                    self.events.append((code, person, "loan_closed", closed, f"K{number}", both))

    def lines(self, code: str) -> list[str]:
        return [
            f"{what},{day},{reference},,{person.resident_id},{person.phone if both else ''}"
            for lender, person, what, day, reference, both in self.events
            if lender == code
        ]

    def naive(self, asker: str, person: Person, kind: IdKind, asked: date) -> dict[str, int]:
        """Cells counted one by one; empty: no record of others."""
        told = [
            one
            for one in self.events
            if one[1] == person and one[0] != asker and (kind is IdKind.ID or one[5])
        ]
        applications = [
            (lender, (asked - day).days) for lender, _, what, day, _, _ in told
            if what == "application" and 1 <= (asked - day).days <= 180
        ]  # fmt: skip
        closed = {(one[0], one[4]): one[3] for one in told if one[2] == "loan_closed"}
        loans = []
        for lender, _, what, day, reference, _ in told:
            end = closed.get((lender, reference))
            over = end is not None and end < asked
            if what == "loan_opened" and not (over and (asked - end).days > 180):
                loans.append((lender, (asked - day).days, not over))
        if not applications and not loans:
            return {}
        cells: dict[str, int] = {}
        for of in ("all", "bank", "nbank", "cons", "micro"):
            among = {c for c in CODES if of in ("all", OF[c].lower(), *_nbank(OF[c]))} - {asker}
            for window, days in WINDOWS.items():
                those = [one for one, ago in applications if one in among and ago <= days]
                if window != "m12":
                    cells[f"app_orgnum_{window}_{of}"] = band(len(set(those)))
                    cells[f"app_allnum_{window}_{of}"] = band(len(those))
                new = [one for one, ago, _ in loans if one in among and ago <= days]
                cells[f"loan_orgnum_{window}_{of}"] = band(len(set(new)))
                cells[f"loan_allnum_{window}_{of}"] = band(len(new))
            still = [one for one, _, there in loans if one in among and there]
            cells[f"open_orgnum_{of}"] = band(len(set(still)))
            cells[f"open_allnum_{of}"] = band(len(still))
        return cells


def _nbank(of: str) -> tuple[str, ...]:
    return () if of == "BANK" else ("nbank",)


def test_every_answer_is_the_count_of_the_others_events_and_nobody_elses(tmp_path: Path) -> None:
    """Eight lenders, 24 borrowers, six strangers, by two kinds of identifier: equal to a count by
    hand, cell by cell; the asker's own events are in no answer.
    """
    terms = Terms(classes={code: LenderClass[of] for code, of in OF.items()})
    with borrowers(tmp_path, CODES, terms) as made:
        story = Story(made.clock().date())
        for code in CODES:
            made[code].contribute(story.lines(code))
        made.publish()
        asked, compared = made.clock().date(), 0
        for code in CODES:
            for person in PEOPLE:
                found = made[code].check(person)
                assert {*found.answers} == {IdKind.ID, IdKind.PHONE}
                for kind, answer in found.answers.items():
                    naive = story.naive(code, person, kind, asked)
                    if answer is None or {*answer.cells} == {NO_RECORD}:
                        assert naive == {}
                        continue
                    assert naive
                    got = {name: answer.value(name) for name in naive}
                    assert got == naive
                    compared += len(naive)
        assert compared > 20_000


def test_the_own_enquiry_is_in_no_answer_to_oneself(four: Borrowers) -> None:
    """Three applications here and one elsewhere are one elsewhere to this lender, and four of two
    lenders to a third.
    """
    person = PEOPLE[0]
    four["L01"].contribute([applied(person, four.day(n), f"A{n}") for n in range(3)])
    four["L02"].contribute([applied(person, four.day(1), "B")])
    for code in ("L03", "L04"):
        four[code].contribute([applied(PEOPLE[1], four.day(1), "C")])
    four.publish()

    def told(code: str, cell: str) -> int:
        answer = four[code].check(person).answers[IdKind.ID]
        assert answer is not None
        return answer.value(cell)

    assert [told("L01", cell) for cell in ("app_orgnum_d7_all", "app_allnum_d7_all")] == [1, 1]
    assert [told("L02", cell) for cell in ("app_orgnum_d7_all", "app_allnum_d7_all")] == [1, 3]
    assert [told("L03", cell) for cell in ("app_orgnum_d7_all", "app_allnum_d7_all")] == [2, 3]


def test_who_alone_knows_somebody_is_told_that_there_is_no_record(four: Borrowers) -> None:
    """No record elsewhere, though the general record, for all others, says that there is one."""
    for number, code in enumerate(four.lenders):
        four[code].contribute([applied(PEOPLE[number], four.day(1), "A")])
    four.publish()
    (own,) = {*four["L01"].check(PEOPLE[0]).answers[IdKind.ID].cells}  # type: ignore[union-attr]
    other = four["L02"].check(PEOPLE[0]).answers[IdKind.ID]
    assert own == NO_RECORD
    assert other is not None
    assert other.value("app_orgnum_d7_all") == 1


def test_nothing_is_told_before_four_lenders_have_contributed(four: Borrowers) -> None:
    """Three lenders, and days later still no table; with the fourth there is one the next day."""
    for code in ("L01", "L02", "L03"):
        four[code].contribute([applied(PEOPLE[0], four.day(1), "A")])
    four.clock.forward(days=3)
    assert four.desk.desk.tick() is None
    with pytest.raises(OperatorError, match="has published nothing yet"):
        four["L01"].borrowing.sync()
    four["L04"].contribute([applied(PEOPLE[1], four.day(1), "A")])
    four.publish()
    answer = four["L04"].check(PEOPLE[0]).answers[IdKind.ID]
    assert answer is not None
    assert answer.value("app_orgnum_d7_all") == 3


def test_triggers_of_the_domain_reference_say_look(tmp_path: Path) -> None:
    """Three lenders in seven days, five in thirty, eight in ninety: look; one fewer: not."""
    codes = [f"L{n:02}" for n in range(10)]
    with borrowers(tmp_path, codes) as made:
        for number, code in enumerate(codes[:8]):
            days = 1 if number < 3 else 20 if number < 5 else 60
            much = applied(PEOPLE[0], made.day(days), "A")
            fewer = applied(PEOPLE[1], made.day(days), "B")
            made[code].contribute([much] if number in (0, 3, 5) else [much, fewer])
        made.publish()
        assert made["L09"].check(PEOPLE[0]).triggered == ("d7", "m1", "m3")
        assert made["L09"].check(PEOPLE[1]).triggered == ()


def test_one_lender_that_plants_applications_is_one_lender(four: Borrowers) -> None:
    """Sixty made-up applications of one lender about a rival's customer set off no trigger; one
    each of three lenders (the control) do.
    """
    for code in four.lenders:
        four[code].contribute([applied(PEOPLE[2], four.day(1), "A")])
    planted = [applied(PEOPLE[0], four.day(1), f"{n}") for n in range(60)]
    four["L01"].contribute(planted)
    for code in ("L01", "L02", "L03"):
        four[code].contribute([applied(PEOPLE[1], four.day(1), "B")])
    four.publish()
    victim = four["L04"].check(PEOPLE[0])
    answer = victim.answers[IdKind.ID]
    assert answer is not None
    assert (answer.value("app_orgnum_d7_all"), answer.value("app_allnum_d7_all")) == (1, 5)
    assert victim.triggered == ()
    assert four["L04"].check(PEOPLE[1]).triggered == ("d7",)


def test_a_hidden_answer_is_not_said_as_none(tmp_path: Path) -> None:
    """Where too few others are there to be told of, one line says so, and a screened book counts
    it; where enough are (the control) there is none of it.
    """
    for contributors, hidden in ((3, True), (4, False)):
        codes = [f"L{n:02}" for n in range(contributors)]
        (tmp_path / str(contributors)).mkdir()
        terms = Terms(contributors=contributors)
        with borrowers(tmp_path / str(contributors), codes, terms) as made:
            for code in codes:
                made[code].contribute([applied(PEOPLE[0], made.day(1), "A")])
            made.publish()
            told = "\n".join(elsewhere_lines(made["L00"].check(PEOPLE[0]), 0))
            assert ("withheld: an answer from fewer than 3 other lenders" in told) is hidden
            assert ("7 days withheld" in told) is hidden
            book = tmp_path / "book.csv"
            book.write_text(f"resident_id\n{PEOPLE[0].resident_id}\n{PEOPLE[1].resident_id}\n")
            done = screen(made["L00"].borrowing, book, tmp_path / f"{contributors}.csv")
            assert (done.rows, done.known, done.withheld) == (2, 1, int(hidden))


def test_what_is_said_of_a_correction_is_what_the_desk_holds(four: Borrowers) -> None:
    """The day told first stays until the old telling is taken back; then the new one is there."""

    def days() -> set[int]:
        with four.desk.store.transaction() as connection:
            return {day for (day,) in connection.execute("SELECT day FROM events")}

    old, new = (applied(PEOPLE[0], four.day(ago), "A") for ago in (1, 2))
    lender = four["L01"]
    assert lender.contribute([old]).before == Before(told=0, new=1, changed=())
    assert lender.contribute([new]).before == Before(told=0, new=0, changed=(2,))
    assert days() == {four.day(1).toordinal()}
    assert lender.contribute([old], retract=True).before == Before(told=1, new=0, changed=())
    assert lender.contribute([new]).before == Before(told=0, new=1, changed=())
    assert days() == {four.day(2).toordinal()}


def test_with_cached_tokens_nobody_is_asked(four: Borrowers) -> None:
    """A second look-up needs neither key holders nor desk; a first one only blinded points."""
    for code in four.lenders:
        four[code].contribute([applied(PEOPLE[0], four.day(1), "A")])
    four.publish()
    lender = four["L02"]
    lender.check(PEOPLE[5])
    calls, asked = len(lender.stub.sent), lender.key.asked
    lender.key.down = True
    lender.check(PEOPLE[5])
    lender.check(PEOPLE[0])
    assert (len(lender.stub.sent), lender.key.asked) == (calls, asked)
    with pytest.raises(AssertionError, match="were asked"):  # the control
        lender.check(PEOPLE[6])


def test_events_told_under_an_old_key_are_found_beside_those_under_the_new(
    four: Borrowers,
) -> None:
    """In a rotation both epochs are looked up; an answer is never less than either's."""
    person = PEOPLE[0]
    for code in ("L01", "L02"):
        four[code].contribute([applied(person, four.day(1), "A")])
    four["L04"].contribute([applied(PEOPLE[1], four.day(1), "A")])
    for lender in four.lenders.values():
        lender.epochs[:] = [1, 2]
    four["L03"].contribute([applied(person, four.day(1), "A")])
    four.publish()
    answers = [four[code].check(person).answers[IdKind.ID] for code in four.lenders]
    counts = [one.value("app_orgnum_d7_all") for one in answers if one]
    assert counts == [1, 1, 2, 2]  # a lower bound: of two lenders under two keys one is seen
    four["L01"].contribute([applied(person, four.day(2), "A")])  # given again, under the new key
    four["L02"].contribute([applied(person, four.day(2), "A")])
    four.publish()
    answers = [four[code].check(person).answers[IdKind.ID] for code in four.lenders]
    assert [one.value("app_orgnum_d7_all") for one in answers if one] == [2, 2, 2, 3]


@pytest.mark.parametrize("code", ["L01", "L02"])
def test_what_was_told_by_mistake_is_taken_back_by_who_told_it(four: Borrowers, code: str) -> None:
    """It counts no more from the next table on; another lender's try takes nothing back."""
    person = PEOPLE[0]
    line = applied(person, four.day(1), "A")
    four["L01"].contribute([line])
    for other in ("L02", "L03", "L04"):
        four[other].contribute([applied(PEOPLE[1], four.day(1), "A")])
    four.publish()
    assert four["L03"].check(person).answers[IdKind.ID] is not None
    four[code].contribute([line], retract=True)
    four.publish()
    gone = four["L03"].check(person).answers[IdKind.ID] is None
    assert gone is (code == "L01")


def test_an_answer_says_how_old_it_is_and_ends_with_its_term(four: Borrowers) -> None:
    """180 days after its day a table still answers; a day later it is refused, with what to do."""
    for code in four.lenders:
        four[code].contribute([applied(PEOPLE[0], four.day(1), "A")])
    four.publish()
    day = four.clock().date()
    four.clock.forward(days=180)
    assert four["L01"].check(PEOPLE[0]).day == day
    four.clock.forward(days=1)
    with pytest.raises(OperatorError, match="181 days old") as told:
        four["L01"].check(PEOPLE[0])
    assert "lianfang-client borrowing sync" in told.value.remedy


Harm = Callable[[Path], object]


@pytest.mark.parametrize(
    "harm",
    [
        lambda path: path.unlink(),
        lambda path: path.write_bytes(path.read_bytes()[:-1]),
        lambda path: path.write_bytes(path.read_bytes()[:-1] + b"\0"),
        lambda path: path.write_bytes(b""),
    ],
)
def test_a_damaged_table_is_an_error_and_never_no_record(four: Borrowers, harm: Harm) -> None:
    """Missing, cut off, flipped or emptied: nothing is answered, and a sync mends it."""
    for code in four.lenders:
        four[code].contribute([applied(PEOPLE[0], four.day(1), "A")])
    four.publish()
    lender = four["L02"]
    (path,) = (lender.own / "borrowing").glob("table-*.bin")
    harm(path)
    with pytest.raises(OperatorError, match="missing or damaged"):
        lender.check(PEOPLE[0])
    lender.borrowing.sync()
    assert lender.check(PEOPLE[0]).answers[IdKind.ID] is not None


def test_a_desk_that_shows_heads_without_end_is_given_up(four: Borrowers) -> None:
    """At the first that is nonsense or too large, and at the first too many; all of them are there
    to be taken (control). The table known before still answers.
    """
    one = four["L01"]
    one.contribute([applied(PEOPLE[0], four.day(1), "a")])
    for code in ("L02", "L03", "L04"):
        four[code].contribute([applied(PEOPLE[1], four.day(1), "b")])
    four.publish()
    known = one.borrowing.table.known.checkpoint()
    taken = 0

    def shown(text: bytes) -> Any:
        def heads(request: Any, timeout: float) -> Any:
            nonlocal taken
            taken = 0
            while taken < 3000:
                taken += 1
                yield wire.Head(head=text)

        return heads

    for text in (b"{}", b"x" * (desk_client.MOST_HEAD_BYTES + 1)):
        one.stub.Heads = shown(text)
        with pytest.raises(PeerError):
            one.borrowing.sync()
        assert taken == 1
    assert sum(1 for _ in shown(b"x")(None, 1)) == 3000
    assert one.borrowing.table.known.checkpoint() == known
