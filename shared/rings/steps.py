"""Joins of money with money, bounded in each ring whatever was planted there.

A join by person alone meets every payment of a person with every other one: some hundred edges of
one lender are then 10^8 rows. By person, week and band it meets only what can be one step.

Invariants:
- Which rings go over a bound does not depend on the order of the rows.
- No more than `MOST_STEPS` rows of a ring are made in one join; a ring with more has none there.
"""

import numpy as np

from shared.rings.columns import Ints, join, total

MOST_STEPS = 1 << 21
"""Rows of one ring in one join. 160 people with 2,000 payments a week stay below it."""


def step(ring: Ints, left: Ints, right: Ints) -> tuple[Ints, Ints]:
    """Rows (i, j) with left[i] == right[j]; `ring`: of each left row, from 0."""
    ordered = np.sort(right)
    found = np.searchsorted(ordered, left, "right") - np.searchsorted(ordered, left, "left")
    rings = int(ring.max(initial=-1)) + 1
    kept = np.flatnonzero((total(ring, found, rings) <= MOST_STEPS)[ring] & (found > 0))
    one, two = join(left[kept], right)
    return kept[one], two


def steps_on(came: tuple[Ints, ...], went: tuple[Ints, ...], weeks: int) -> tuple[Ints, Ints]:
    """Rows (i, j): what came, goes on from the same person in the same to the `weeks`-th week
    after. `came`: ring, person, week and, if wanted, band; `went`: the same without the ring. With
    bands: of the same or one less.
    """
    ring, *here = came
    losses = (0, 1) if len(here) == 3 else (0,)
    parts = [
        step(ring, _key(here, later, lost), _key(went, 0, 0))
        for later in range(weeks + 1)
        for lost in losses
    ]
    one, two = (np.concatenate(side) for side in zip(*parts, strict=True))
    return one, two


def _key(columns: "tuple[Ints, ...] | list[Ints]", later: int, lost: int) -> Ints:
    """Person, week and band as one number: weeks below 2^20 and bands below 2^8."""
    person, week, *band = columns
    key = (person.astype(np.int64) << 30) | ((week.astype(np.int64) + later) << 9)
    return key | (band[0].astype(np.int64) - lost + 1) if band else key
