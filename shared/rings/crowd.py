"""How many households meet at a point that a group has: the more, the less the point says of it.

A lender can put made-up people at a ring's things until the ring's own people are few there. So,
where lenders are known, those whom one lender alone knows at a point, but for the group's own,
count for no more than those of the lender with next to most, or one: nobody alone outnumbers a
group.
"""

from dataclasses import dataclass

import numpy as np

from shared.rings.columns import Ints, count, dense, distinct, join, most
from shared.rings.edges import Edges
from shared.rings.kinds import Terms
from shared.rings.points import Rows


@dataclass(frozen=True, slots=True)
class Crowd:
    """`households` of each point, and its `thing`, the attribute it is of; `pair`, `only`: a point
    and a household whom one lender alone knows there as one number, ascending, and the lender;
    `point`, `lender`, `number`: how many such.
    """

    households: Ints
    thing: Ints
    width: int
    pair: Ints
    only: Ints
    point: Ints
    lender: Ints
    number: Ints

    @classmethod
    def of(
        cls, edges: Edges, rows: Rows, sources: Ints | None, households: Ints, terms: Terms
    ) -> "Crowd":
        """Of all edges at points; `sources`: the lender of each edge, where there are several."""
        thing, width = things(edges, rows), int(rows.home.max(initial=-1)) + 1
        if sources is None or not terms.by_no_one_word:
            none = np.zeros(0, dtype=np.int64)
            return cls(households, thing, width, none, none, none, none, none)
        source = sources[rows.edge]
        known = distinct(rows.point, rows.home, source)
        met, first = dense(rows.point[known], rows.home[known])
        lone = known[count(met, len(first))[met] == 1]
        lone = lone[np.lexsort((rows.home[lone], rows.point[lone]))]
        point, only = rows.point[lone], source[lone]
        word, first = dense(point, only)
        number = count(word, len(first))
        pair = point * width + rows.home[lone]
        return cls(households, thing, width, pair, only, point[first], only[first], number)

    def around(self, cell: Ints, home: Ints, point: Ints) -> Ints:
        """Households that count at the point of each cell, a group's point, the group's own with
        them. Rows: a household of the group there; cells are dense.
        """
        cells = int(cell.max(initial=-1)) + 1
        where = np.zeros(cells, dtype=np.int64)
        where[cell] = point
        if not len(self.pair):
            return self.households[where]
        at, word = join(where, self.point)
        others = self.number[word] - self._own(cell, home, point, at, self.lender[word])
        largest = most(at, others, cells, 0)
        first = others == largest[at]
        second = most(at[~first], others[~first], cells, 0)
        second = np.where(count(at[first], cells) > 1, largest, second)
        return np.asarray(self.households[where] - np.maximum(largest - np.maximum(second, 1), 0))

    def _own(self, cell: Ints, home: Ints, point: Ints, at: Ints, lender: Ints) -> Ints:
        """Of each (cell, lender), the group's own whom that lender alone knows there."""
        row = distinct(cell, home)
        pair = point[row] * self.width + home[row]
        place = np.minimum(np.searchsorted(self.pair, pair), len(self.pair) - 1)
        lone = self.pair[place] == pair
        both, _ = dense(
            np.concatenate([at, cell[row[lone]]]), np.concatenate([lender, self.only[place[lone]]])
        )
        return count(both[len(at) :], int(both.max(initial=-1)) + 1)[both[: len(at)]]


def things(edges: Edges, rows: Rows) -> Ints:
    """The attribute that each point is of."""
    thing = np.zeros(int(rows.point.max(initial=-1)) + 1, dtype=np.int64)
    thing[rows.point] = edges.attribute[rows.edge]
    return thing
