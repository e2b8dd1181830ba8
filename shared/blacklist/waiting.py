"""What waits for a second institution, as other lenders are shown it.

Invariants:
- It does not say who filed or proposed.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Waiting:
    """`kind`: "File" (an entry of severity 3, or one that supersedes what its contributor may not
    remove alone; sign Approve) or a proposal's kind (sign Consent); `name`: of the entry or of the
    proposing event; `digest`: what is signed; `tags`, 32 bytes each, and `reason_code` of an entry;
    `epoch` and `keys`, or the number of `entries`, of a proposal.
    """

    kind: str
    name: bytes
    digest: bytes
    tags: tuple[bytes, ...] = ()
    reason_code: str = ""
    epoch: int = 0
    keys: bytes = b""
    entries: int = 0
