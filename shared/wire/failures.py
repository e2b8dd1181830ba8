"""Why a message bears no content, where one of our own parts made it: sentences for the operator.

Invariants:
- What is shown is one of these sentences, letter for letter. Any other text, Flower's or a
  lender's, may quote anything, and stands as `UNAVAILABLE`.
"""

from __future__ import annotations

UNAVAILABLE = "unavailable"
WORKER_ENDED = "its worker ended at this question (see the lender's own log)"
WORKER_LATE = "its worker took too long and was ended (see the lender's own log)"
NOT_TAKEN = "its app did not take the question (see the lender's own log)"
STRANGE_QUESTION = "it was sent a question that no stage asks (see the lender's own log)"
NOT_WHOLE = "parts of its reply did not come"
TOO_MANY_PARTS = "its message has too many parts"
TOO_LARGE = "its message is larger than any stage needs"
DESCRIPTION = "its message describes an array at too great length"
UNREADABLE = "its message cannot be read"
OTHER_QUESTION = "its reply is to another question than it was sent for"
_KNOWN = frozenset(
    {WORKER_ENDED, WORKER_LATE, NOT_TAKEN, NOT_WHOLE, TOO_MANY_PARTS, TOO_LARGE, DESCRIPTION}
    | {UNREADABLE, OTHER_QUESTION, STRANGE_QUESTION}
)


def shown(reason: str | None) -> str:
    """What may be shown of the reason that came with a message."""
    return reason if reason in _KNOWN else UNAVAILABLE
