"""What a lender, an observer or a thief tries against a case, each with its control."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from shared.cases.bulletin import ROW_BYTES, Bulletin, content_of
from shared.cases.case import Case
from shared.cases.case_tokens import (
    attribute_tokens,
    degree_ids,
    flag_tags,
    pair_tags,
    ring_names,
    subject_tokens,
)
from shared.cases.pages import CountPage, EdgePage
from shared.cases.ring_flag import RingFlag
from shared.rings.kinds import Kind
from shared.secure_sum.encoding import read_text
from tests.case_lenders import Desks, Lender, Observed, innocents, outputs, ring
from tests.identities import fixed_random

CODES = ("L01", "L02", "L03", "L04")
VICTIM = "honest victim"


@pytest.fixture
def desks(tmp_path: Path) -> Desks:
    return Desks(tmp_path / "desk")


def four() -> list[Lender]:
    return [Lender(code) for code in CODES]


def counts_as_member(lender: Lender, case: Case, flag: RingFlag | None) -> bool:
    """As docs/protocols/rings.md has it: a member, or tied by one's own observations only."""
    if flag is None or not flag.attached:
        return flag is not None and flag.distance == 0
    names = ring_names(
        flag.ring, attribute_tokens(case.id, outputs([o.thing for o in lender.book]))
    )
    own = {
        (name.tobytes(), int(one.kind), one.week)
        for name, one in zip(names, lender.book, strict=True)
        if one.person == VICTIM
    }
    return bool(flag.ties) and all(
        (tie.attribute_token, tie.kind, tie.week) in own for tie in flag.ties
    )


def victim_at(lender: Lender, case: Case, bulletin: Bulletin) -> bool:
    flag = lender.flags(case, bulletin, [VICTIM]).get(VICTIM)
    return counts_as_member(lender, case, flag)


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


N, CHANCE = 8, 1 / 8
Features = npt.NDArray[np.float64]


def guessed(features: Features, lender: npt.NDArray[np.int64]) -> float:
    """How often a classifier, taught on half of it, names the lender: the best of nearest
    neighbour and nearest mean."""
    scaled = (features - features.mean(0)) / (features.std(0) + 1e-9)
    half = len(lender) // 2
    taught, asked, known, truth = scaled[:half], scaled[half:], lender[:half], lender[half:]
    one = known[((asked[:, None] - taught[None]) ** 2).sum(2).argmin(1)]
    means = np.array([taught[known == each].mean(0) for each in range(N)])
    two = ((asked[:, None] - means[None]) ** 2).sum(2).argmin(1)
    return max(float((one == truth).mean()), float((two == truth).mean()))


def test_an_observer_of_submissions_cannot_tell_lenders_by_size_time_or_order(desks: Desks) -> None:
    """Eight lenders of very different size: pages are of one size and number, and sent at a drawn
    moment. Rows sent as they come, at each lender's usual hour, give all away (control)."""
    case = desks.open()
    lenders = [Lender(f"L{number:02}") for number in range(N)]
    for number, lender in enumerate(lenders):
        innocents([lender], people=25 * (number + 1))
    sent = {
        (len(pages), *map(len, pages))
        for lender in lenders
        for pages in (lender.count_pages(case, 0), lender.edge_pages(case, 0, None))
    }
    assert len({len(one) for one in sent}) == 1  # how many; their size: see test_pages
    draw = np.random.default_rng(11)
    weeks, who = 120, np.tile(np.arange(N), 120)
    moments = draw.uniform(0, 24, (weeks, N))
    order = moments.argsort(1).argsort(1)
    padded = np.column_stack([np.full(N * weeks, 1.0), moments.ravel(), order.ravel()])
    assert guessed(padded, who) <= CHANCE + 0.05
    rows = 50.0 * (who + 1) + draw.normal(0, 15, N * weeks)
    hour = who * 2 + draw.normal(0, 2, N * weeks)
    plain = np.column_stack([rows, hour, (hour.reshape(-1, N)).argsort(1).argsort(1).ravel()])
    assert guessed(plain, who) > 0.7


def published(case: Case, version: int, shuffled: bool) -> tuple[Features, npt.NDArray[np.int64]]:
    """Place and neighbours of each published row, and the lender whose customer it is about."""
    draw = fixed_random(f"{version} {shuffled}")
    tokens = subject_tokens(case.id, outputs([f"{version} {n}" for n in range(30 * N)]))
    lender = np.repeat(np.arange(N), 30)
    flag = RingFlag(b"r" * 16, 2, ("phone",), "single", "60-79")
    flags = {token.tobytes(): flag for token in tokens}
    content, rows, _ = content_of(case, version, flags, {}, draw)
    if not shuffled:  # as it came: lender by lender
        return np.column_stack([np.arange(30.0 * N), np.ones(30 * N)]), lender
    place = {content[at * ROW_BYTES : at * ROW_BYTES + 32]: at for at in range(rows)}
    at = [place[tag.tobytes()] for tag in flag_tags(case.id, version, tokens)]
    first = [content[one * ROW_BYTES + 32] for one in at]
    return np.column_stack([np.array(at, float), np.array(first, float)]), lender


def test_a_bulletin_does_not_tell_whose_customers_its_rows_are(desks: Desks) -> None:
    """Neither a row's place nor its bytes; in the order of sending it would (control)."""
    case = desks.open()

    def accuracy(shuffled: bool) -> float:
        parts = [published(case, version, shuffled) for version in range(1, 7)]
        features = np.vstack([one for one, _ in parts])
        return guessed(features, np.concatenate([who for _, who in parts]))

    assert accuracy(shuffled=True) <= CHANCE + 0.05
    assert accuracy(shuffled=False) > 0.9
