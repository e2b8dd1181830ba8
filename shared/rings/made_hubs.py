"""Hubs, and that one lender's word makes none.

An attribute is a hub of a kind when more subjects than the kind's cap have it in any 90 days. A
lender can put made-up people at a ring's things until these are hubs. So, where lenders are known,
a hub is none if without some one lender's edges it is within its cap:

- The lone sharers of a lender are those whom nobody else knows there. Where they are more than all
  others together, only that lender is asked about, and they are not heard of: they meet nobody
  there. Those who are left may be as many as tie otherwise (`Terms.crowded`).
- Where no lender's are, everybody stays, as nobody can tell which of two lenders made people up.
- It depends on the edges of the attribute alone.
- Whatever one lender adds makes no hub of what is within its cap without it. It can make a hub of
  another lender's customers less of one, by knowing them, too: who is a member is therefore asked
  without each lender, hubs included (`not_without`).
"""

import numpy as np

from shared.rings.columns import (
    Ints,
    Mask,
    count,
    dense,
    distinct,
    distinct_count,
    join,
    peak,
)
from shared.rings.edges import Edges
from shared.rings.kinds import Terms

_LEAST_LEFT = 2
"""Where nobody else knows two people, a hub is the lender's own."""


def hubs(
    edges: Edges, sources: Ints | None, group: Ints, kind: Ints, terms: Terms
) -> tuple[Mask, Mask]:
    """Which groups are hubs, and which edges are heard; `group` of each edge, `kind` of each group,
    `sources`: the lender of each edge, where that is known.
    """
    hub = _above(edges, group, terms.most()[kind], terms)
    if sources is None or not terms.by_no_one_word:
        return hub, np.ones(len(group), dtype=bool)
    return _made_by_one(edges, sources, group, hub, kind, terms)


def not_without(edges: Edges, sources: Ints, terms: Terms) -> tuple[Ints, Ints]:
    """Pairs (edge, lender): edges of others that tie by `hubs`, and would not had the lender said
    nothing.
    """
    group, first = dense(edges.attribute, edges.kind)
    kind = edges.kind[first].astype(np.int64)
    stays, _ = hubs(edges, sources, group, kind, terms)
    made = _above(edges, group, terms.most()[kind], terms) & ~stays
    row = np.flatnonzero(made[group])
    one = row[distinct(group[row], sources[row])]
    case, at = join(group[one], group[row])
    others = sources[row[at]] != sources[one[case]]
    case, row = case[others], row[at[others]]
    hub, heard = hubs(edges.take(row), sources[row], case, kind[group[one]], terms)
    untied = hub[case] | ~heard
    return row[untied], sources[one[case[untied]]]


def _above(edges: Edges, group: Ints, cap: Ints, terms: Terms) -> Mask:
    """Per group: more subjects than its cap in some window. Only the large ones are swept."""
    size = len(cap)
    many = distinct_count(group, edges.subject, size) > cap
    rows = np.flatnonzero(many[group])
    swept = peak(group[rows], edges.subject[rows], edges.week[rows], size, terms.window_weeks)
    return np.asarray(swept > cap)


def _made_by_one(
    edges: Edges, sources: Ints, group: Ints, hub: Mask, kind: Ints, terms: Terms
) -> tuple[Mask, Mask]:
    """The hubs that stay, and the edges that are heard."""
    rows = np.flatnonzero(hub[group])
    at, who, by, week = group[rows], edges.subject[rows], sources[rows], edges.week[rows]
    lone = _lone(at, who, by)
    where, lender, theirs, left = _words(at, who, by, lone)
    loud, asked = _asked(where, theirs, left, len(hub))
    fewest = np.where(loud, terms.most()[kind[where]], terms.caps()[kind[where]])
    # Without so many lone sharers there are at most so many fewer.
    asked &= theirs >= peak(at, who, week, len(hub), terms.window_weeks)[where] - fewest
    ask = np.flatnonzero(asked)
    case, row = join(where[ask], at)
    others = by[row] != lender[ask[case]]
    case, row = case[others], row[others]
    without = peak(case, who[row], week[row], len(ask), terms.window_weeks)
    made = ask[without <= fewest[ask]]
    stays, heard = hub.copy(), np.ones(len(group), dtype=bool)
    stays[where[made]] = False
    made = made[loud[made]]
    heard[rows[lone & _among(at, by, where[made], lender[made])]] = False
    return stays, heard


def _lone(at: Ints, who: Ints, by: Ints) -> Mask:
    """Of each row, whether nobody else knows the subject there."""
    pair, first = dense(at, who)
    return np.asarray(count(pair[distinct(pair, by)], len(first))[pair] == 1)


def _words(at: Ints, who: Ints, by: Ints, lone: Mask) -> tuple[Ints, Ints, Ints, Ints]:
    """Group, lender, its lone sharers there, and how many people are left without them."""
    alone = np.flatnonzero(lone)
    alone = alone[distinct(at[alone], who[alone])]
    word, first = dense(at[alone], by[alone])
    where, theirs = at[alone][first], count(word, len(first))
    everyone = distinct_count(at, who, int(at.max(initial=-1)) + 1)[where]
    return where, by[alone][first], theirs, everyone - theirs


def _asked(where: Ints, theirs: Ints, left: Ints, groups: int) -> tuple[Mask, Mask]:
    """Which lenders' lone sharers are more than all others, and who is to be asked about."""
    loud = theirs > left
    drowned = np.zeros(groups, dtype=bool)
    drowned[where[loud]] = True
    return loud, (left >= _LEAST_LEFT) & (loud | ~drowned[where])


def _among(at: Ints, by: Ints, where: Ints, lender: Ints) -> Mask:
    """Whether each (at, by) is among these."""
    both, _ = dense(np.concatenate([where, at]), np.concatenate([lender, by]))
    return np.isin(both[len(where) :], both[: len(where)])
