"""The statuses of an entry and every legal move between them, as one table.

          file            approve                dispute             resolve: corrected
    draft ────► pending_review ────► active ────────► disputed ───────────────► corrected
                     │  ▲ └approve┘    ▲  └─refile┘     │  ▲   resolve: upheld, annotated ► active
                     │                 └────────────────┘  │ suspend ► suspended ► as disputed
                     └ withdraw ► removed    expire ► expired    supersede ► corrected

    expire also ends pending_review: its last day is over, or nobody approved it in time
    corroborate (another institution approves re-filed tokens): active, disputed, suspended stay so

Invariants:
- What is not in the table is an `IllegalTransitionError`, and nothing changes.
- `corrected`, `removed` and `expired` are final: nothing leads out of them.
"""

from __future__ import annotations

from enum import StrEnum

from shared.errors import PeerError


class Status(StrEnum):
    """Of an entry. `DRAFT`: at its lender, unknown to the registry."""

    DRAFT = "draft"
    PENDING_REVIEW = "pending_review"
    ACTIVE = "active"
    DISPUTED = "disputed"
    SUSPENDED = "suspended"
    CORRECTED = "corrected"
    REMOVED = "removed"
    EXPIRED = "expired"


class Move(StrEnum):
    """What an event does to an entry."""

    FILE = "file"
    APPROVE = "approve"
    DISPUTE = "dispute"
    RESOLVE = "resolve"
    WITHDRAW = "withdraw"
    REFILE = "refile"
    CORROBORATE = "corroborate"
    SUPERSEDE = "supersede"
    EXPIRE = "expire"
    SUSPEND = "suspend"


_IS = {
    Status.DRAFT: "is not filed yet",
    Status.PENDING_REVIEW: "waits for approval",
    Status.ACTIVE: "is on the list",
    Status.DISPUTED: "is on the list and disputed",
    Status.SUSPENDED: "is suspended, as a dispute has no outcome in time",
    Status.CORRECTED: "was corrected",
    Status.REMOVED: "was withdrawn",
    Status.EXPIRED: "has expired",
}
_DONE = {
    Move.FILE: "filed again",
    Move.APPROVE: "approved",
    Move.DISPUTE: "disputed",
    Move.RESOLVE: "settled as disputed",
    Move.WITHDRAW: "withdrawn",
    Move.REFILE: "re-filed",
    Move.CORROBORATE: "approved for another key epoch",
    Move.SUPERSEDE: "superseded",
    Move.EXPIRE: "ended as expired",
    Move.SUSPEND: "suspended",
}


class IllegalTransitionError(PeerError):
    """A move that the table does not allow from the entry's status."""

    def __init__(self, status: Status, move: Move) -> None:
        super().__init__(
            f"this entry {_IS[status]}: it cannot be {_DONE[move]}",
            remedy="fetch your entries anew and decide on their present status",
        )
        self.status = status
        self.move = move


LIVE = frozenset({Status.PENDING_REVIEW, Status.ACTIVE, Status.DISPUTED, Status.SUSPENDED})
ANSWERING = frozenset({Status.ACTIVE, Status.DISPUTED})
"""Statuses whose rows members receive."""

_ENDS = {Move.WITHDRAW: {Status.REMOVED}, Move.EXPIRE: {Status.EXPIRED}}
_CONTESTED = {
    Move.RESOLVE: {Status.ACTIVE, Status.CORRECTED},
    Move.SUPERSEDE: {Status.CORRECTED},
    **_ENDS,
}
TRANSITIONS: dict[Status, dict[Move, set[Status]]] = {
    Status.DRAFT: {Move.FILE: {Status.PENDING_REVIEW}},
    Status.PENDING_REVIEW: {
        Move.APPROVE: {Status.PENDING_REVIEW, Status.ACTIVE},
        Move.REFILE: {Status.PENDING_REVIEW},
        **_ENDS,
    },
    Status.ACTIVE: {
        Move.DISPUTE: {Status.DISPUTED},
        Move.REFILE: {Status.ACTIVE},
        Move.CORROBORATE: {Status.ACTIVE},
        Move.SUPERSEDE: {Status.CORRECTED},
        **_ENDS,
    },
    Status.DISPUTED: {
        Move.SUSPEND: {Status.SUSPENDED},
        Move.REFILE: {Status.DISPUTED},
        Move.CORROBORATE: {Status.DISPUTED},
        **_CONTESTED,
    },
    Status.SUSPENDED: {
        Move.REFILE: {Status.SUSPENDED},
        Move.CORROBORATE: {Status.SUSPENDED},
        **_CONTESTED,
    },
    Status.CORRECTED: {},
    Status.REMOVED: {},
    Status.EXPIRED: {},
}


def check_move(status: Status, move: Move, after: Status | None = None) -> None:
    """IllegalTransitionError unless the table allows the move (and `after` as where it leads)."""
    allowed = TRANSITIONS[status].get(move)
    if allowed is None or (after is not None and after not in allowed):
        raise IllegalTransitionError(status, move)
