"""What a lender, an observer or a thief tries against a case, each with its control."""

from __future__ import annotations

from pathlib import Path

import pytest

from shared.cases.bulletin import Bulletin
from shared.cases.case import Case
from shared.cases.case_tokens import (
    attribute_tokens,
    degree_ids,
    pair_tags,
    ring_names,
    subject_tokens,
)
from shared.cases.pages import CountPage, EdgePage
from shared.rings.kinds import Kind
from shared.secure_sum.encoding import read_text
from tests.case_lenders import Desks, Lender, Observed, innocents, outputs, ring

CODES = ("L01", "L02", "L03", "L04")
VICTIM = "honest victim"


@pytest.fixture
def desks(tmp_path: Path) -> Desks:
    return Desks(tmp_path / "desk")


def four() -> list[Lender]:
    return [Lender(code) for code in CODES]


def victim_at(lender: Lender, case: Case, bulletin: Bulletin) -> bool:
    return lender.takes(case, bulletin, VICTIM)


def planted(attacker: Lender, edges: int) -> None:
    """A rival says that the victim had things of a ring in which it has customers itself."""
    things = (("r device 0", Kind.DEVICE), ("r card 0", Kind.BANK_CARD), ("r phone 0", Kind.PHONE))
    attacker.book += [Observed(VICTIM, thing, kind) for thing, kind in things[:edges]]


@pytest.mark.parametrize("edges", [1, 3])
def test_planted_edges_make_no_member_of_a_rivals_customer(desks: Desks, edges: int) -> None:
    """However many one lender plants; the ring itself is found meanwhile."""
    lenders = four()
    ring(lenders[:3])
    innocents(lenders)
    lenders[3].book.append(Observed(VICTIM, "own device", Kind.DEVICE))
    planted(lenders[0], edges)
    case = desks.open()
    bulletin = desks.week(case, lenders)
    assert not victim_at(lenders[3], case, bulletin)
    assert not victim_at(lenders[1], case, bulletin)
    assert set(lenders[3].flags(case, bulletin, ["r person 0"])) == {"r person 0"}


def test_seen_by_its_own_lender_and_another_the_same_edges_do(desks: Desks) -> None:
    """The control of the above: two lenders' word, and one's own book."""
    lenders = four()
    ring(lenders[:3])
    innocents(lenders)
    for lender in (lenders[0], lenders[3]):
        planted(lender, 3)
    case = desks.open()
    bulletin = desks.week(case, lenders)
    assert victim_at(lenders[3], case, bulletin)


OWN = (("own phone", Kind.PHONE), ("own device", Kind.DEVICE), ("own card", Kind.BANK_CARD))


def around(lender: Lender, people: list[str]) -> None:
    """It says that these people have what is the victim's own."""
    lender.book += [Observed(person, thing, kind) for person in people for thing, kind in OWN]


@pytest.mark.parametrize("copied", [False, True])
def test_repeating_a_customers_own_observations_makes_no_member_of_it(
    desks: Desks, copied: bool
) -> None:
    """The rival sends the very rows that the victim's lender has, with made-up people around them;
    a mark says whose word it is. The ties alone (control) are the victim's lender's own.
    """
    lenders = four()
    innocents(lenders, 300)
    around(lenders[3], [VICTIM])
    around(lenders[0], ["fake 0", "fake 1", "fake 2", *([VICTIM] if copied else [])])
    case = desks.open(pages=(2, 2))
    bulletin = desks.week(case, lenders)
    assert not victim_at(lenders[3], case, bulletin)
    flag = lenders[3].flags(case, bulletin, [VICTIM])[VICTIM]
    things = attribute_tokens(case.id, outputs([thing for thing, _ in OWN]))
    names = {one.tobytes() for one in ring_names(flag.ring, things)}
    assert (bool(flag.ties) and {tie.attribute_token for tie in flag.ties} <= names) == copied


@pytest.mark.parametrize("fakes", [2, 3])
def test_made_up_people_around_a_stranger_open_no_record_of_it(desks: Desks, fakes: int) -> None:
    """They are all the ring there is: their lender gets no key. Where the stranger's lender and
    another have seen them, too, there is one (control).
    """
    for seen in (False, True):
        here, lenders = Desks(desks.folder / str(seen)), four()
        innocents(lenders, 300)
        people = [f"fake {number}" for number in range(fakes)]
        around(lenders[3], [VICTIM, *(people if seen else [])])
        around(lenders[0], people)
        if seen:
            around(lenders[1], [VICTIM, *people])
        case = here.open(pages=(2, 2))
        flags = lenders[0].flags(case, here.week(case, lenders), people).values()
        assert any((flag.ring_key or flag.sealed) is not None for flag in flags) == seen


def test_a_ring_made_up_by_one_lender_is_told_to_nobody(desks: Desks) -> None:
    """Around a rival's customer, of ten made-up people; with a second lender's edges it is
    (control)."""
    for second in (False, True):
        here = Desks(desks.folder / str(second))
        lenders = four()
        innocents(lenders)
        lenders[3].book.append(Observed(VICTIM, "own device", Kind.DEVICE))
        fakes = ring(lenders[:2] if second else lenders[:1], name="fake")
        planted(lenders[0], 3)
        case = here.open()
        bulletin = here.week(case, lenders)
        assert bool(lenders[3].flags(case, bulletin, fakes)) == second
        assert not victim_at(lenders[3], case, bulletin)


def test_a_hub_attack_hides_no_ring(desks: Desks) -> None:
    """Forty made-up people at each of a ring's strongest things do not untie it."""
    lenders = four()
    members = ring(lenders[:3])
    innocents(lenders)
    things = (
        ("r device 0", Kind.DEVICE),
        ("r device 1", Kind.DEVICE),
        ("r card 0", Kind.BANK_CARD),
    )
    lenders[3].book += [
        Observed(f"made up {number} {thing}", thing, kind)
        for thing, kind in things
        for number in range(40)
    ]
    case = desks.open()
    bulletin = desks.week(case, lenders)
    flags = lenders[0].flags(case, bulletin, members)
    assert sum(flag.distance == 0 for flag in flags.values()) >= 4
    fakes = [f"made up {number} {thing}" for thing, _ in things for number in range(40)]
    made_up = lenders[3].flags(case, bulletin, fakes).values()
    assert not any(flag.distance == 0 for flag in made_up)


@pytest.mark.parametrize("flats", [[(0, 1, 2, 3), (3, 4, 5)], [(0, 1), (1, 2), (2, 3)]])
def test_flats_hide_no_ring(desks: Desks, flats: list[tuple[int, ...]]) -> None:
    """A rival lets a ring's members share flats, each few, in a chain: they stay members."""
    lenders = four()
    members = ring(lenders[:3])
    innocents(lenders)
    lenders[3].book += [
        Observed(members[who], f"flat {number}", Kind.ADDR_UNIT)
        for number, there in enumerate(flats)
        for who in there
    ]
    case = desks.open()
    bulletin = desks.week(case, lenders)
    assert all(any(one.takes(case, bulletin, who) for one in lenders[:3]) for who in members)


def test_whoever_steals_the_desks_folder_has_no_dictionary(desks: Desks) -> None:
    """All identifiers there are, hashed every way that needs no holder, hit nothing; with the
    holders' outputs they hit everything (control)."""
    lenders = four()
    members = ring(lenders[:3])
    innocents(lenders)
    case = desks.open()
    desks.week(case, lenders)
    desks.store.close()
    stolen = b"".join(path.read_bytes() for path in desks.folder.iterdir())
    raw = b"".join(
        read_text(kind, text).rows  # type: ignore[type-var]
        for kind, text in texts_in(desks)
    )
    things = [one.thing for lender in lenders for one in lender.book]
    people = [one.person for lender in lenders for one in lender.book]

    def hits(key: str) -> int:
        a, s = outputs(things, key), outputs(people, key)
        tokens = (
            attribute_tokens(case.id, a),
            subject_tokens(case.id, s),
            degree_ids(case.id, a),
            pair_tags(case.id, a, s),
        )
        found = {row.tobytes() for rows in tokens for row in rows}
        return sum(one in raw or one in stolen for one in found)

    assert hits("guessed") == hits("") == 0
    assert hits("holders") > 100
    assert not any(word.encode() in stolen for word in (*members, *set(things)))


def texts_in(desks: Desks) -> list[tuple[type, bytes]]:
    """All pages, as a thief reads them."""
    desks.begin()
    ((case,),) = desks.store._rows("SELECT id FROM cases")
    kinds = (("count", CountPage), ("edges", EdgePage))
    found = [
        (kind, page.text)
        for stage, kind in kinds
        for page in desks.store.pages(case, stage, 99)  # type: ignore[arg-type]
    ]
    desks.store.close()
    return found
