"""A public key as people compare it, over the telephone for instance.

Invariants:
- 128 bits of SHA-256: nobody makes a second key with the same fingerprint.
"""

from __future__ import annotations

import hashlib


def fingerprint(public: bytes) -> str:
    """Eight groups of four hex digits, such as "9f86 d081 …", of a raw public key."""
    digits = hashlib.sha256(b"lianfang|fingerprint|v1|" + public).hexdigest()[:32]
    return " ".join(digits[at : at + 4] for at in range(0, 32, 4))
