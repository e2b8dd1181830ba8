"""How a key holder's refusals begin, where the lender does something about them by itself."""

from __future__ import annotations

STALE_KEYS = "stale-keys: "
"""The key set is not in use there (any more): fetch the key sets."""
QUOTA = "quota: "
"""The lender's quota for this purpose is used up at this holder today."""
