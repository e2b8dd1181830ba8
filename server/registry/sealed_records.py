"""Which sealed records the registry has seen: SHA-256 of each, for good.

Invariants:
- A record is filed once. Sealing takes fresh random bytes, so who files a record again has copied a
  row that members can read, or lost its source of randomness.
- Digests stay when tokens and records are erased: an erased row cannot be brought back. They show
  nothing: a record holds 12 random bytes.
"""

from __future__ import annotations

from hashlib import sha256

from sqlalchemy import Connection, insert, select

from server.registry import tables
from shared.blacklist.events import Event, File, Refile
from shared.blacklist.lifecycle import RefusedError


def take_records(connection: Connection, event: Event) -> None:
    """Note the event's sealed records; RefusedError `copied`, and nothing is noted, when one of
    them was filed before.
    """
    if not isinstance(event, File | Refile):
        return
    digests = [sha256(one).digest() for one in event.sealed]
    table = tables.sealed_records
    known = connection.scalars(select(table.c.digest).where(table.c.digest.in_(digests))).all()
    if known or len({*digests}) < len(digests):
        raise RefusedError(
            "copied",
            "a sealed record of this filing was filed before",
            remedy="seal every record anew; another lender's record cannot be filed again",
        )
    connection.execute(insert(table), [{"digest": one} for one in digests])
