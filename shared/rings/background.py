"""How often people meet by chance: what makes a meeting point surprising or not.

A meeting point has a class: what is shared, by how many households, how close in time they came,
how much money. The rate of a class is the number of points per household that are at least as
extreme in every one of these, counted in the graph itself; a small prior stands for what a small
graph cannot show. The surprise of a point is minus the logarithm of the chance that a household is
at such a point. Rings are in the graph, too, yet rare: they can lower their own surprise only to
the share of households that are in one.

Where it is known who contributed what, one lender adds at most twice what all others and the prior
show, to points as to households: whoever plants thousands of points makes rings of that kind 1.1
nats less surprising, and no more. It can make all other rings that much more surprising: therefore
who is a member on several lenders' word (`without.py`) is one by the background without any one
lender, too.

A background is estimated once and then kept while the graph grows, like any model: an analysis of
a part then equals that part of an analysis of everything.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Any

import numpy as np

from shared.rings.columns import Floats, Ints, Mask, count, dense, distinct, distinct_count
from shared.rings.kinds import Kind
from shared.rings.stacking import NOBODY_ABOVE, above_usual, chances, chances_without

_GAPS = np.array([0, 1, 3, 6])
_GAP_PRIOR = np.array([0.1, 0.25, 0.4, 0.6, 1.0])
_MOST_MET, _MOST_BAND = 8, 10
_HOUSEHOLDS = 1000
"""Weight of the prior, as if counted among so many households."""
_PRIOR = {
    Kind.DEVICE: 0.02,
    Kind.BANK_CARD: 0.005,
    Kind.PHONE: 0.01,
    Kind.EMERGENCY_CONTACT: 0.1,
    Kind.ADDR_UNIT: 0.01,
    Kind.ADDR_BUILDING: 0.2,
    Kind.EMPLOYER: 0.2,
    Kind.WIFI: 0.05,
    Kind.GUARANTOR: 0.03,
    Kind.PAYEE: 0.05,
}
"""Points of two households per household; each further one, or doubling of money, is rarer."""
_FURTHER, _DOUBLED = 0.25, 0.5
_NO_LENDERS: Mapping[int, tuple[Any, int]] = MappingProxyType({})
_AT_MOST = 3.0
"""Counts are at most so many times what is left without any one lender."""


@dataclass(frozen=True, slots=True)
class Classes:
    """Of each point: kind, whether one who meets there owns it, households, amount band (0: none),
    and the median of the weeks between one household's coming and the next one's.
    """

    kind: Ints
    owned: Ints
    households: Ints
    band: Ints
    gap: Ints

    def take(self, which: Ints | Mask) -> "Classes":
        """Those at these indices or where the mask holds."""
        return Classes(*(getattr(self, name)[which] for name in self.__slots__))

    def _places(self) -> tuple[Ints, ...]:
        band = np.minimum(self.band, _MOST_BAND)
        met = np.minimum(self.households, _MOST_MET)
        return self.kind, self.owned, met, band, np.searchsorted(_GAPS, self.gap)


@dataclass(frozen=True, slots=True, eq=False)
class Background:
    """`points`: how many at least as extreme there are of each class, among `households`;
    `several`: the share of people at so many lenders or more at once (`stacking.py`); `without`: by
    lender, the same without what rests on its word.
    """

    points: Floats
    households: int
    several: Floats = field(default_factory=lambda: NOBODY_ABOVE)
    without: Mapping[int, "Background"] = field(default_factory=dict)

    @classmethod
    def prior(cls) -> "Background":
        """What is expected before anything is counted."""
        shape = (len(Kind), 2, _MOST_MET + 1, _MOST_BAND + 1, len(_GAP_PRIOR))
        kind = np.array([_PRIOR[each] for each in Kind]).reshape(-1, 1, 1, 1, 1)
        met = _FURTHER ** np.maximum(np.arange(shape[2]) - 2.0, 0).reshape(-1, 1, 1)
        band = _DOUBLED ** np.maximum(np.arange(shape[3]) - 1.0, 0).reshape(-1, 1)
        return cls(
            np.broadcast_to(_HOUSEHOLDS * kind * met * band * _GAP_PRIOR, shape), _HOUSEHOLDS
        )

    @classmethod
    def of(
        cls,
        classes: Classes,
        households: int,
        alone: Mapping[int, tuple[Mask, int]] = _NO_LENDERS,
    ) -> "Background":
        """The prior and what these points of so many households show.

        `alone`: for each lender which points, and how many households, rest on its word alone.
        """
        everything = np.ones(len(classes.kind), dtype=bool)
        single = {each: (tally(classes, which), number) for each, (which, number) in alone.items()}
        return cls.counted(tally(classes, everything), households, single)

    @classmethod
    def counted(
        cls,
        points: Floats,
        households: int,
        alone: Mapping[int, tuple[Floats, int]] = _NO_LENDERS,
    ) -> "Background":
        """The same from tallies, which add up over parts of a graph."""
        prior = cls.prior()
        most, number = prior.points + points, float(prior.households + households)
        without = {
            each: cls(prior.points + points - theirs, prior.households + households - only)
            for each, (theirs, only) in alone.items()
        }
        for rest in without.values():
            most = np.minimum(most, _AT_MOST * rest.points)
            number = min(number, _AT_MOST * rest.households)
        return cls(most, int(number), without=without)

    def with_lenders(self, people: Ints, theirs: Mapping[int, Ints]) -> "Background":
        """With what `stacking.tallied` counts."""
        several = chances(people, theirs)
        if several is NOBODY_ABOVE:
            return self
        without = {
            each: replace(rest, several=chances_without(people, theirs[each]))
            for each, rest in self.without.items()
        }
        return replace(self, several=several, without=without)

    def surprise(self, classes: Classes) -> Floats:
        """Of each point, in nats; rounded, so that it is the same in every order of summing."""
        expected = self.points[classes._places()] * classes.households
        return np.asarray(np.round(np.log(self.households / expected), 6), dtype=np.float64)

    def least_surprise(self, classes: Classes) -> Floats:
        """Of each point the least surprise, by this background or that without any one lender."""
        every = [self.surprise(classes), *(one.surprise(classes) for one in self.without.values())]
        return np.asarray(np.min(every, axis=0))

    def least_above(self, lenders: Ints) -> Floats:
        """How far so many lenders at once are above the usual, the least in the same way."""
        every = [self, *self.without.values()]
        return np.asarray(np.min([above_usual(lenders, one.several) for one in every], axis=0))


def tally(classes: Classes, which: Mask) -> Floats:
    """How many of these points are at least as extreme as each class, in the shape of the prior."""
    seen = np.zeros(Background.prior().points.shape)
    np.add.at(seen, tuple(axis[which] for axis in classes._places()), 1.0)
    for axis in (2, 3):  # at least so many, at least so much
        seen = np.flip(np.cumsum(np.flip(seen, axis), axis), axis)
    return np.asarray(np.cumsum(seen, 4))


def resting_on(point: Ints, home: Ints, source: Ints, points: int) -> dict[int, Mask]:
    """For each lender, which points would have fewer than two households without its word.

    Rows are edges at points; the masks have shape (points,).
    """
    homes = distinct_count(point, home, points)
    row = distinct(point, home, source)
    both, first = dense(point[row], home[row])
    single = count(both, len(first))[both] == 1
    row = row[single]
    found = {}
    for lender in np.unique(source).tolist():
        mine = point[row[source[row] == lender]]
        found[lender] = (homes - count(mine, points) < 2) & (homes > 0)
    return found
