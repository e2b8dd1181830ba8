"""The reference of a lookup: opaque, as it is told to every key holder.

Invariants:
- A reference that reads as an identifier, or holds one that is looked up, is refused before
  anything leaves, and is not repeated.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

from client.exchange.reads_as import reads_as
from shared.errors import OperatorError
from shared.tokens.identifiers import Canonical
from shared.tokens.identifiers.cleaning import joined

_SHORTEST = 5


def check_reference(
    reference: str, given: Sequence[tuple[str, str]], subject: Sequence[Canonical], today: date
) -> None:
    """OperatorError when this is an identifier, or holds one of the command (`given`: kind and
    text, `subject`: the same in canonical form).
    """
    plain = joined(reference).casefold()
    held = [(kind, joined(text)) for kind, text in given]
    held += [(one.kind, one.value) for one in subject]
    for kind, text in held:
        if len(text) >= _SHORTEST and text.casefold() in plain:
            raise _refused(f"holds the {kind} that is looked up")
    read = reads_as(reference, today)
    if read is not None:
        raise _refused(f"reads as an identifier ({read})")


def _refused(why: str) -> OperatorError:
    return OperatorError(
        f"--reference {why}: nothing was looked up, as every key holder is told the reference",
        remedy="give your own number of the application, or none",
    )
