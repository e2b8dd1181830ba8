"""At how many lenders people are at once: who borrows to default does so everywhere before it shows
(domain reference, §3).

Of each subject the most different lenders are counted that it is seen at within a few weeks
(`Terms.stacking_weeks`), at points where it meets others. Shopping for a loan is no fraud, and how
common it is, is counted in the same graph: the surprise of a number of lenders is minus the
logarithm of the share of people at so many or more. What counts is how far the members of a group
are above what people are on average. It never makes a group or a member by itself.

- Without sources, or with fewer than three lenders, nobody is above anybody.
- One lender adds at most twice what all others and a prior show to any share, as in
  `background.py`.
- Tallies add up over parts of a graph in which each subject is in one part.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from shared.rings.columns import Floats, Ints, count, distinct, peak, total

MOST = 8
"""So many lenders or more are one class."""
_PRIOR = 1000 * np.concatenate([[1.0, 1.0], 0.3 ** np.arange(1.0, MOST)])
"""As if counted among so many people, three in ten of whom are at each further lender."""
_AT_MOST = 3.0
"""Counts are at most so many times what is left without any one lender."""
_LEAST_LENDERS = 3
_FINE = 1 << 20

NOBODY_ABOVE = np.ones(MOST + 1)
"""Chances under which no number of lenders is a surprise."""


def at_once(subject: Ints, source: Ints, week: Ints, size: int, weeks: int) -> Ints:
    """Most lenders of each subject index in any `weeks` consecutive weeks, (size,), MOST at most.

    Rows are edges.
    """
    return np.minimum(peak(subject, source, week, size, weeks), MOST)


def tallied(subject: Ints, source: Ints, lenders: Ints) -> tuple[Ints, dict[int, Ints]]:
    """How many people are at exactly so many lenders, (MOST + 1,), and of these, by lender, how
    many it knows. Rows are edges; `lenders` of each subject index, as `at_once` counts them.
    """
    people = count(lenders[subject[distinct(subject)]], MOST + 1)
    known = distinct(subject, source)
    theirs = {
        each: count(lenders[subject[known[source[known] == each]]], MOST + 1)
        for each in np.unique(source).tolist()
    }
    return people, theirs


def chances(people: Ints, theirs: Mapping[int, Ints]) -> Floats:
    """The share of people at so many lenders or more, (MOST + 1,)."""
    if len(theirs) < _LEAST_LENDERS:
        return NOBODY_ABOVE
    all_of_them = _PRIOR + np.cumsum(people[::-1])[::-1]
    most = all_of_them.copy()
    for known in theirs.values():  # without it each would be at one fewer
        most = np.minimum(most, _AT_MOST * (all_of_them - known))
    most[0] = most[1]
    return np.asarray(np.minimum.accumulate(most / most[0]))


def chances_without(people: Ints, known: Ints) -> Floats:
    """The same without one lender, of people it knows so many: each of them is at one fewer."""
    left = people - known
    left[:-1] += known[1:]
    left[0] = 0
    most = _PRIOR + np.cumsum(left[::-1])[::-1]
    most[0] = most[1]
    return np.asarray(most / most[0])


def above_usual(lenders: Ints, chances: Floats) -> Floats:
    """Surprise in nats of each subject's number of lenders over what people's is on average."""
    surprise = -np.log(chances)
    usual = float((surprise * -np.diff(np.append(chances, 0.0))).sum())
    return np.asarray(np.round(surprise[lenders] - usual, 6))


@dataclass(frozen=True, slots=True)
class Stacking:
    """How far each subject index is above the usual, and at how many lenders it is at least without
    one of them.
    """

    above: Floats
    fewer: Ints

    @classmethod
    def of(cls, lenders: Ints, chances: Floats) -> "Stacking":
        """Of the lenders of each."""
        return cls(above_usual(lenders, chances), np.maximum(lenders - 1, 1))


def stacked(group: Ints, above: Floats, size: Ints) -> Floats:
    """How far members together are above the usual, per group of `size`: their sum, over the root
    of their number as chance would have it. Rows are members.
    """
    summed = total(group, np.rint(above * _FINE), len(size)) / _FINE
    return np.asarray(summed / np.sqrt(np.maximum(size, 1)))
