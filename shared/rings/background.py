"""How often people meet by chance: what makes a meeting point surprising or not.

A meeting point has a class: what is shared, by how many households, how close in time they came,
how much money. The rate of a class is the number of points per household that are at least as
extreme in every one of these, counted in the graph itself; a small prior stands for what a small
graph cannot show. The surprise of a point is minus the logarithm of the chance that a household is
at such a point. Rings are in the graph, too, yet rare: they can lower their own surprise only to
the share of households that are in one.

A background is estimated once and then kept while the graph grows, like any model: an analysis of
a part then equals that part of an analysis of everything.
"""

from dataclasses import dataclass

import numpy as np

from shared.rings.columns import Floats, Ints
from shared.rings.kinds import Kind

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

    def _places(self) -> tuple[Ints, ...]:
        band = np.minimum(self.band, _MOST_BAND)
        met = np.minimum(self.households, _MOST_MET)
        return self.kind, self.owned, met, band, np.searchsorted(_GAPS, self.gap)


@dataclass(frozen=True, slots=True, eq=False)
class Background:
    """`points`: how many at least as extreme there are of each class, among `households`."""

    points: Floats
    households: int

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
    def of(cls, classes: Classes, households: int) -> "Background":
        """The prior and what these points of so many households show."""
        prior = cls.prior()
        seen = np.zeros(prior.points.shape)
        np.add.at(seen, classes._places(), 1.0)
        for axis in (2, 3):  # at least so many, at least so much
            seen = np.flip(np.cumsum(np.flip(seen, axis), axis), axis)
        return cls(prior.points + np.cumsum(seen, 4), prior.households + households)

    def surprise(self, classes: Classes) -> Floats:
        """Of each point, in nats; rounded, so that it is the same in every order of summing."""
        expected = self.points[classes._places()] * classes.households
        return np.asarray(np.round(np.log(self.households / expected), 6), dtype=np.float64)
