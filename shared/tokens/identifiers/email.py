"""`email`: trimmed and in lower case.

Invariants:
- Hyphens and dots stay: `a-b@x.cn` and `ab@x.cn` are two mailboxes. For this kind "trim" replaces
  the dropping of separators that other kinds have.
"""

from __future__ import annotations

import re

from shared.tokens.identifiers.cleaning import Canonical, IdentifierError, cleaned

KIND = "email"
_FORM = re.compile(
    r"[a-z0-9!#$%&'*+/=?^_`{}~.-]{1,64}@(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z0-9-]{2,63}"
)


def canonical_email(text: str) -> Canonical:
    """`name@example.com`. Raises IdentifierError."""
    plain = cleaned(text).lower()
    if not _FORM.fullmatch(plain) or len(plain) > 254:
        raise IdentifierError(
            KIND,
            "form",
            "it is not one e-mail address in plain letters",
            text=plain,
            remedy="one address in a cell, without a name or brackets around it",
        )
    return Canonical(KIND, plain)
