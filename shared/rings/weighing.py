"""Evidence of groups with the shapes that their money takes, from the edges of their members."""

import numpy as np

from shared.rings.background import Classes
from shared.rings.candidates import Candidates
from shared.rings.columns import Floats, Ints, dense, join
from shared.rings.crowd import Crowd
from shared.rings.edges import Edges
from shared.rings.evidence import Evidence, evidence
from shared.rings.kinds import Kind, Terms
from shared.rings.motifs import Money, motifs
from shared.rings.points import Rows
from shared.rings.stacking import at_once


def weighed(
    edges: Edges,
    groups: Candidates,
    rows: Rows,
    surprise: Floats,
    classes: Classes,
    crowd: Crowd,
    came: Ints,
    above: Floats,
    terms: Terms,
) -> tuple[Evidence, tuple[Ints, Ints]]:
    """What speaks for and against each group, and pairs (row of groups, edge there, as a row of
    `rows`); `came` is the first week of each subject index, `above` its lenders (`stacking.py`).
    """
    at, edge = _edges_of(groups, rows)
    taking = motifs(_money(edges, groups, rows, at, edge), terms)
    return evidence(groups, rows, surprise, classes, crowd, came, above, taking, terms), (at, edge)


def lenders_of(rows: Rows, sources: Ints | None, size: int, terms: Terms) -> Ints:
    """Lenders at once of each subject index, (size,); one where nobody says whose the edges are."""
    if sources is None:
        return np.ones(size, dtype=np.int64)
    return at_once(rows.subject, sources[rows.edge], rows.week, size, terms.stacking_weeks)


def _edges_of(groups: Candidates, rows: Rows) -> tuple[Ints, Ints]:
    """Pairs (row of groups, row of rows) of the same subject at the same point."""
    key = dense(
        np.concatenate([groups.subject, rows.subject]), np.concatenate([groups.point, rows.point])
    )[0]
    return join(key[: len(groups.subject)], key[len(groups.subject) :])


def _money(edges: Edges, groups: Candidates, rows: Rows, at: Ints, edge: Ints) -> Money:
    """Payments and accounts inside groups; subjects and accounts are numbered by group."""
    flow = rows.sense[edge] == Kind.PAYEE
    at, edge = at[flow], edge[flow]
    group = groups.group[at]
    who, account = dense(group, groups.subject[at])[0], dense(group, groups.point[at])[0]
    kind, band = edges.kind[rows.edge[edge]], edges.band[rows.edge[edge]].astype(np.int64)
    paid, owned = kind == Kind.PAYEE, kind == Kind.BANK_CARD
    return Money(
        group[paid],
        who[paid],
        account[paid],
        rows.week[edge][paid],
        band[paid],
        group[owned],
        who[owned],
        account[owned],
    )
