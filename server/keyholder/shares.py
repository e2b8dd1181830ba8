"""A holder's key shares and the ceremony under way, in its file.

    pending ──all holders confirmed──► active ──later generation active, or retired──► wiped

Invariants:
- What a holder has said rests on what is on disk: the ceremony's secret before its promise leaves,
  the share before its confirmation.
- A holder signs one key set of an epoch and generation, ever (`signed`).
- When a generation becomes active the shares of earlier ones are gone: whoever takes this holder
  over tomorrow has nothing of yesterday.
"""

from __future__ import annotations

import sqlite3
from datetime import date

from server.keyholder.store import Store
from shared.errors import InternalError, OperatorError
from shared.secure_sum.encoding import read_text, text_of
from shared.tokens.epochs import may_retire
from shared.tokens.key_generation import Progress
from shared.tokens.keys import KeySet, KeyShare, read_keys
from shared.tokens.signed_keys import SignedKeys, read_signed


class Shares:
    """The shares and the ceremony in a holder's file."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def active(self, name: bytes) -> KeyShare | None:
        """The share of the key set called `name`, if it is in use."""
        return self._share(name, ("active",))

    def confirmed(self, name: bytes) -> KeyShare | None:
        """The same also if this holder has confirmed it and not all others have yet."""
        return self._share(name, ("active", "pending"))

    def confirmed_keys(self, epoch: int, generation: int) -> KeySet:
        """The key set of this epoch and generation that this holder has signed."""
        with self._store.transaction() as run:
            found = run.execute(
                "SELECT keys FROM shares WHERE epoch = ? AND generation = ?", (epoch, generation)
            ).fetchone()
        if found is None:
            raise InternalError("a key set was confirmed and is not on disk")
        return read_keys(found[0])

    def answered_for(self) -> tuple[SignedKeys, ...]:
        """The key sets in use, oldest epoch first."""
        with self._store.transaction() as run:
            rows = run.execute(
                "SELECT signed FROM shares WHERE state = 'active' ORDER BY epoch"
            ).fetchall()
        return tuple(read_signed(signed) for (signed,) in rows)

    def signed(self) -> dict[int, int]:
        """The highest generation this holder has signed, by epoch."""
        with self._store.transaction() as run:
            return dict(run.execute("SELECT epoch, generation FROM signed").fetchall())

    def dealt(self) -> dict[int, int]:
        """The highest generation this holder dealt for, by epoch; another may have signed it."""
        with self._store.transaction() as run:
            return dict(run.execute("SELECT epoch, generation FROM dealt").fetchall())

    def ceremony(self) -> tuple[Progress, bytes] | None:
        """The last ceremony and its secret; the secret is empty once it is not needed."""
        with self._store.transaction() as run:
            found = run.execute("SELECT progress, seed FROM ceremony").fetchone()
        if found is None:
            return None
        progress = read_text(Progress, found[0])
        sealed = found[1]
        return progress, self._store.unseal(sealed, progress.opening.name) if sealed else b""

    def keep_ceremony(self, progress: Progress, seed: bytes) -> None:
        """Put a ceremony's progress in place of what was there; an empty secret is wiped."""
        with self._store.transaction() as run:
            self._keep(run, progress, seed)
        if not seed:
            self._store.clean()

    def keep_dealt(self, progress: Progress, seed: bytes) -> None:
        """Progress, and that this holder deals for its epoch and generation, together."""
        opening = progress.opening
        with self._store.transaction() as run:
            self._keep(run, progress, seed)
            run.execute(
                "INSERT INTO dealt VALUES (?, ?) ON CONFLICT (epoch) DO UPDATE"
                " SET generation = max(generation, excluded.generation)",
                (opening.epoch, opening.generation),
            )

    def keep_confirmed(self, progress: Progress, share: KeyShare) -> None:
        """Progress, the share and that its key set is signed, together; the secret is wiped."""
        keys = share.keys
        secret = share.secret.to_bytes(32, "little")
        row = (keys.name, keys.epoch, keys.generation, share.index, keys.text())
        with self._store.transaction() as run:
            self._keep(run, progress, b"")
            run.execute(
                "INSERT OR IGNORE INTO shares VALUES (?, ?, ?, ?, 'pending', ?, ?, NULL, NULL)",
                (*row, self._store.seal(secret, keys.name)),
            )
            run.execute(
                "INSERT OR REPLACE INTO signed VALUES (?, ?)", (keys.epoch, keys.generation)
            )
        self._store.clean()

    def keep_active(self, signed: SignedKeys, today: date) -> None:
        """The key set is in use; shares of earlier generations of its epoch are wiped."""
        keys = signed.keys
        with self._store.transaction() as run:
            run.execute(
                "UPDATE shares SET state = 'active', signed = ?, since = coalesce(since, ?)"
                " WHERE name = ? AND state IN ('pending', 'active')",
                (text_of(signed), today.isoformat(), keys.name),
            )
            run.execute(
                "UPDATE shares SET state = 'wiped', secret = NULL"
                " WHERE epoch = ? AND generation < ?",
                (keys.epoch, keys.generation),
            )
        self._store.clean()

    def retire(self, epoch: int, today: date, grace_days: int) -> None:
        """Wipe this holder's share of an epoch. OperatorError before a later epoch has been in use
        for `grace_days`: contributors may still have to file anew.
        """
        with self._store.transaction() as run:
            rows = run.execute(
                "SELECT epoch, min(since) FROM shares WHERE since IS NOT NULL GROUP BY epoch"
            ).fetchall()
            since = {number: date.fromisoformat(first) for number, first in rows}
            if not may_retire(since, epoch, today, grace_days):
                raise OperatorError(
                    f"epoch {epoch} is not retired: no later epoch is in use for {grace_days} days",
                    remedy="rotate first, let all contributors file anew, and wait",
                )
            run.execute(
                "UPDATE shares SET state = 'wiped', secret = NULL WHERE epoch = ?", (epoch,)
            )
        self._store.clean()

    def _share(self, name: bytes, states: tuple[str, ...]) -> KeyShare | None:
        with self._store.transaction() as run:
            found = run.execute(
                "SELECT keys, place, secret, state FROM shares WHERE name = ?", (name,)
            ).fetchone()
        if found is None or found[3] not in states:
            return None
        secret = int.from_bytes(self._store.unseal(found[2], name), "little")
        return KeyShare(read_keys(found[0]), found[1], secret)

    def _keep(self, run: sqlite3.Connection, progress: Progress, seed: bytes) -> None:
        sealed = self._store.seal(seed, progress.opening.name) if seed else None
        row = (text_of(progress), sealed)
        run.execute("INSERT OR REPLACE INTO ceremony VALUES (1, ?, ?)", row)
