"""What one analysis of edges leaves behind, as tables: components, ties, rings and their reasons.

Nothing here depends on the week of asking or on who is listed; those are applied when asked. Rows
of one component never mix with rows of another, so tables of two analyses can be put together.
"""

from dataclasses import dataclass, fields
from typing import Any

import numpy as np
import numpy.typing as npt

from shared.rings.columns import Floats, Ints, Mask

MOTIF_CODE = 100
"""Reason codes: a kind's number, or this plus a motif's number."""
_NUMBERED = ("member_ring", "reason_ring", "edge_ring", "attached_ring", "needs_ring")


@dataclass(frozen=True, slots=True)
class Traced:
    """Columns of seven tables; the prefix names the table, rings are numbered from 0."""

    subject: Ints
    component: Ints
    tie_subject: Ints
    tie_node: Ints
    tie_weight: Floats
    ring_evidence: Floats
    ring_proved: Mask
    ring_size: Ints
    ring_first: Ints
    ring_last: Ints
    member_ring: Ints
    member_subject: Ints
    member_strength: Floats
    member_alone: Ints
    reason_ring: Ints
    reason_code: Ints
    reason_members: Ints
    reason_points: Ints
    reason_weight: Floats
    edge_ring: Ints
    edge_index: Ints
    attached_ring: Ints
    attached_subject: Ints
    attached_index: Ints
    attached_sure: Mask
    needs_ring: Ints
    needs_lender: Ints

    @property
    def rings(self) -> int:
        """How many rings there are."""
        return len(self.ring_evidence)

    def without(self, subjects: Mask) -> "Traced":
        """All but the components of these subjects; `subjects` is a mask over subject indices."""
        gone = np.zeros(self.rings, dtype=bool)
        gone[self.member_ring[subjects[self.member_subject]]] = True
        number = np.cumsum(~gone) - 1
        kept = {
            "subject": ~subjects[self.subject],
            "tie": ~subjects[self.tie_subject],
            "ring": ~gone,
            "member": ~gone[self.member_ring],
            "reason": ~gone[self.reason_ring],
            "edge": ~gone[self.edge_ring],
            "attached": ~gone[self.attached_ring],
            "needs": ~gone[self.needs_ring],
        }
        return Traced(
            **{
                name: _renumbered(name, column[kept[_table(name)]], number)
                for name, column in self._columns()
            }
        )

    def beside(self, other: "Traced") -> "Traced":
        """Both together; their subjects must be different ones."""
        shift = dict.fromkeys(_NUMBERED, self.rings)
        return Traced(
            **{
                name: np.concatenate([column, getattr(other, name) + shift.get(name, 0)])
                if name in shift
                else np.concatenate([column, getattr(other, name)])
                for name, column in self._columns()
            }
        )

    def _columns(self) -> list[tuple[str, npt.NDArray[Any]]]:
        return [(each.name, getattr(self, each.name)) for each in fields(self)]


def _table(name: str) -> str:
    return "subject" if name == "component" else name.partition("_")[0]


def _renumbered(name: str, column: npt.NDArray[Any], number: Ints) -> npt.NDArray[Any]:
    return number[column] if name in _NUMBERED else column
