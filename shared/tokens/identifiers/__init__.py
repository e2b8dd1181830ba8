"""Identifiers in the one canonical form that makes two members' tokens meet.

    text of a cell ──canonical(kind, text, today=…)──▶ Canonical ──token_input(context, …)──▶ bytes
                                  └─▶ IdentifierError: reason, masked value, remedy

Invariants:
- Equal identifiers give equal bytes at every member, whatever their files look like; what has no
  canonical form is refused and never repaired silently.
- The rules are version `v1`; a change of any of them is a new version of the token's input.
"""

from shared.tokens.identifiers.cleaning import (
    Canonical,
    IdentifierError,
    MissingIdentifierError,
    is_missing,
)
from shared.tokens.identifiers.kinds import (
    COMPOSED,
    KINDS,
    IdKind,
    canonical,
    kind_of,
    token_input,
)

__all__ = [
    "COMPOSED",
    "KINDS",
    "Canonical",
    "IdKind",
    "IdentifierError",
    "MissingIdentifierError",
    "canonical",
    "is_missing",
    "kind_of",
    "token_input",
]
