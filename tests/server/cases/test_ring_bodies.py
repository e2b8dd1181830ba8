"""A ring's body says what speaks against the ring, what was paid and who shares, to the bound."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from hashlib import sha256
from typing import Any

import numpy as np
import pytest

from server.cases.bodies import body
from server.cases.collected import Collected
from shared.cases.case_tokens import Rows
from shared.cases.ring_body import COUNTER_EVIDENCE, EXPOSURE_BANDS, MOST_EDGES, RingBody
from shared.rings.edges import Edges
from shared.rings.kinds import Kind
from shared.rings.motifs import Motif
from shared.rings.provenance import NOBODY
from shared.rings.ring import Ring

Row = tuple[int, int, Kind, int, int, int]
"""Person, thing, kind, week, band, lender."""
FOUR: tuple[Row, ...] = tuple((who, 0, Kind.DEVICE, 0, 0, who % 2) for who in range(4))
"""Two lenders saw two members each at one device: with a seed and a shape of money, nothing speaks
against it."""
STRANGER: Row = (9, 0, Kind.DEVICE, 0, 0, 0)


def tokens(name: str, number: int) -> Rows:
    joined = b"".join(sha256(f"{name}{one}".encode()).digest() for one in range(number))
    return np.frombuffer(joined, np.uint8).reshape(-1, 32)


def told(
    more: Sequence[Row] = (),
    *,
    rows: Sequence[Row] = FOUR,
    outside: Sequence[Row] = (STRANGER,),
    members: int = 4,
    last_week: int = 0,
    motifs: tuple[Motif, ...] = (Motif.CYCLE,),
    listed: Collection[int] = (0,),
    sharers: Mapping[int, int] | None = None,
) -> RingBody:
    """The body of a ring of these rows. `outside`: rows that are not of the ring; `listed`: whom
    their lenders find on the list; `sharers` of a thing: 2 if it is not named.
    """
    rows = (*rows, *more)
    table = np.array([*rows, *outside], np.int64)
    things = int(table[:, 1].max()) + 1
    by = np.isin(table[:, 0], [*listed])
    graph = Collected(
        tokens("s", 10),
        tokens("a", things),
        Edges.of([tuple(row[:5]) for row in table.tolist()]),
        table[:, 5],
        np.isin(np.arange(10), [*listed]),
        np.array([(sharers or {}).get(thing, 2) for thing in range(things)]),
        by,
        (bytes(32), bytes(32)),
    )
    ring = Ring(
        number=0,
        members=tuple(range(members)),
        score=90.0,
        strength=(0.5,) * members,
        reasons=(),
        kinds=(Kind.DEVICE,),
        motifs=motifs,
        edges=tuple(range(len(rows))),
        first_week=0,
        last_week=last_week,
        sources=(0, 1),
        alone=(NOBODY,) * members,
    )
    return body(graph, ring, b"r" * 16)


def at_one(kind: Kind, people: int) -> list[Row]:
    return [(who, 1, kind, 0, 0, who % 2) for who in range(people)]


def apart(kind: Kind, other: Kind) -> list[Row]:
    """Two members, each at a thing of its own."""
    return [(0, 1, kind, 0, 0, 0), (1, 2, other, 0, 0, 1)]


def two_lenders(first: int, second: int) -> list[Row]:
    """So many edges of the one and of the other."""
    return [(at % 4, at // 4, Kind.DEVICE, 0, 0, int(at >= first)) for at in range(first + second)]


UNIT, BUILDING, EMPLOYER = Kind.ADDR_UNIT, Kind.ADDR_BUILDING, Kind.EMPLOYER
Change = dict[str, Any]
BOUNDS: list[tuple[str, Change, Change]] = [
    ("one_address", {"more": at_one(UNIT, 2)}, {"more": at_one(UNIT, 1)}),
    ("one_address", {"more": at_one(BUILDING, 2)}, {"more": apart(UNIT, BUILDING)}),
    *(
        (word, {"more": at_one(kind, 3), "members": 5}, {"more": at_one(kind, 2), "members": 5})
        for word, kind in (("one_address", UNIT), ("one_employer", EMPLOYER))
    ),
    ("one_employer", {"more": at_one(EMPLOYER, 2)}, {"more": apart(EMPLOYER, EMPLOYER)}),
    ("crowded", {"sharers": {0: 6}}, {"sharers": {0: 5}}),
    *(
        ("crowded", *({"more": at_one(kind, 1), "sharers": {1: cap + one}} for one in (1, 0)))
        for kind, cap in ((Kind.PAYEE, 10), (EMPLOYER, 80))
    ),
    ("spread_in_time", {"last_week": 27}, {"last_week": 26}),
    ("no_money", {"motifs": ()}, {"motifs": (Motif.FAN_IN,)}),
    ("nobody_listed", {"listed": ()}, {"listed": (3,)}),
    ("nobody_listed", {"listed": (9,)}, {"listed": (9, 2)}),
    ("mostly_one_lender", {"rows": two_lenders(6, 2)}, {"rows": two_lenders(8, 3)}),
    ("mostly_one_lender", {"rows": two_lenders(1, 3)}, {"rows": two_lenders(3, 4)}),
]


@pytest.mark.parametrize(("word", "over", "under"), BOUNDS)
def test_what_speaks_against_a_ring_is_said_from_its_bound_on(
    word: str, over: Change, under: Change
) -> None:
    """That word and no other; just on the other side of the bound (control) nothing is said."""
    assert told(**over).counter_evidence == (word,)
    assert told(**under).counter_evidence == ()


def test_every_word_against_a_ring_has_its_bounds_tried() -> None:
    """None is left out above; and all are said at once, in their order, where all are so."""
    assert {word for word, *_ in BOUNDS} == {*COUNTER_EVIDENCE}
    kinds = (Kind.DEVICE, UNIT, EMPLOYER)
    rows = [(who, at, kind, 0, 0, 0) for who in range(4) for at, kind in enumerate(kinds)]
    everything = told(rows=rows, motifs=(), listed=(), last_week=40, sharers={0: 6})
    assert everything.counter_evidence == COUNTER_EVIDENCE


def paid(*bands: int, kind: Kind = Kind.PAYEE, lender: int = 0) -> list[Row]:
    """Payments of one member to one account, each in a week of its own."""
    return [(0, 1, kind, week, band, lender) for week, band in enumerate(bands)]


NONE, BELOW_10K, TO_100K, TO_1M, MORE = EXPOSURE_BANDS


@pytest.mark.parametrize(
    ("payments", "said"),
    [
        ([], NONE),
        (paid(0, 0), NONE),
        (paid(5, 3, kind=Kind.GUARANTOR), NONE),
        (paid(1), BELOW_10K),
        (paid(*[1] * 40), BELOW_10K),  # of below 1,000 each: from nothing on
        (paid(5, 2), BELOW_10K),
        (paid(5, 2) + paid(5, 2, lender=1), BELOW_10K),  # seen twice, paid once
        (paid(5, 3), TO_100K),  # 8,000 and 2,000
        (paid(5, 2, 2), TO_100K),
        (paid(8, 7, 3, 2), TO_100K),
        (paid(8, 7, 4), TO_1M),
        (paid(11, 10, 9, 8, 7, 4, 3, 2), TO_1M),
        (paid(11, 10, 9, 8, 7, 5), MORE),
        (paid(32), MORE),
    ],
)
def test_payments_are_summed_by_the_lower_ends_of_their_bands(
    payments: list[Row], said: str
) -> None:
    """To the bound: 1,000 less is the band below."""
    assert told(payments).exposure_band == said


def test_payments_that_are_cut_from_the_body_are_summed_all_the_same() -> None:
    """The latest edges fill it; those that are shown (control) make a band below."""
    late = [(who, 1, Kind.PAYEE, week, 1, 0) for who in range(4) for week in range(10, 530)]
    made = told([*paid(5, 3), *late])
    assert len(made.edges) == MOST_EDGES
    assert {edge.band for edge in made.edges} == {1}
    assert made.exposure_band == TO_100K
    assert told(late).exposure_band == BELOW_10K


@pytest.mark.parametrize(
    ("sharers", "said"),
    [(1, "1"), (2, "2"), (3, "3-5"), (5, "3-5"), (6, "6-10"), (10, "6-10"), (11, "11+")],
)
def test_how_many_share_a_thing_is_said_in_bands(sharers: int, said: str) -> None:
    """To the bound, of that thing alone."""
    made = told(at_one(Kind.WIFI, 1), sharers={1: sharers})
    assert {one.kind: one.sharers_band for one in made.attributes} == {
        Kind.DEVICE: "2",
        Kind.WIFI: said,
    }
