"""The token keys a lender has seen, `own/keys.json`: what it believes from the first time on.

Invariants:
- A key set is believed only with the signatures of all its holders, if all their shares are of one
  key, and is on disk before anything is blinded for it.
- The public key of an epoch never changes and a generation only goes up. Holders that show another
  key are not believed, and what they showed is kept as evidence.
- What a revoked holder signed in a set that is pinned stays; a new set that names it is not
  believed.
- An epoch more than 100 after the last that is pinned is not believed; the first may be any.
- A renewal takes the place of the generation before only when enough holders show it
  (`key_sets.py`): one holder that is ahead of the others, whatever the cause, changes nothing.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from client.exchange.evidence import Evidence
from client.files import keep_private, write_durably
from shared.errors import OperatorError, PeerError
from shared.secure_sum.encoding import text_of
from shared.secure_sum.trust import Trust
from shared.tokens.epochs import check_follows, is_leap
from shared.tokens.group import Group
from shared.tokens.keys import KeySet, check_keys
from shared.tokens.signed_keys import SignedKeys, check_signed, read_signed

FILE = "keys.json"

OTHER_CONSORTIUM = "a key set of another consortium"


class Pins:
    """The pinned key sets in a lender's folder `own`, by epoch. `holders`: their codes, as this
    lender's own settings name them; `context`: the consortium's name; `revoked`: some of them.
    """

    def __init__(
        self,
        own: Path,
        context: str,
        holders: frozenset[str],
        trust: Trust,
        group: Group,
        evidence: Evidence,
        revoked: frozenset[str] = frozenset(),
    ) -> None:
        self._path = own / FILE
        self._context = context
        self._holders, self._revoked = holders, revoked
        self._trust = trust
        self._group = group
        self._evidence = evidence
        self._pinned = self._read()

    @property
    def known(self) -> dict[int, SignedKeys]:
        """What is pinned, by epoch; of each the latest generation."""
        return dict(self._pinned)

    def check(self, signed: SignedKeys) -> None:
        """PeerError when what a holder showed is not to be believed; of another key than the pinned
        one evidence is kept. Nothing is pinned.
        """
        keys = signed.keys
        self._check_whose(signed)
        before = self._pinned.get(keys.epoch)
        if before is not None and (before.keys == keys or _is_behind(keys, before.keys)):
            return
        self._check_revoked(signed)
        check_signed(signed, self._trust)
        check_keys(self._group, keys)
        try:
            check_follows({epoch: one.keys for epoch, one in self._pinned.items()}, keys)
        except PeerError:
            left = before is None and keys.epoch < max(self._pinned, default=0)
            if left or is_leap(self._pinned, keys.epoch):
                raise  # left before this lender came, or not to be followed: no contradiction
            digest = hashlib.sha256(keys.name).hexdigest()[:16]
            shown = {"kind": "another key", "shown": text_of(signed).decode()}
            pinned = before and text_of(before).decode()
            self._evidence.keep(f"keys-{keys.epoch}-{digest}", shown | {"pinned": pinned})
            raise

    def take(self, signed: SignedKeys) -> None:
        """Pin what enough holders showed, durably. Nothing happens for what is pinned, or older.

        PeerError as `check`.
        """
        self.check(signed)
        keys = signed.keys
        before = self._pinned.get(keys.epoch)
        if before is not None and before.keys == keys:
            self._take_certificates(before, signed)
        elif before is None or not _is_behind(keys, before.keys):
            self._pinned = {**self._pinned, keys.epoch: signed}
            self._write()

    def _take_certificates(self, before: SignedKeys, signed: SignedKeys) -> None:
        """Renewed certificates in place of older ones, if all of them are in order."""
        if signed.certificates == before.certificates:
            return
        try:
            check_signed(signed, self._trust)
        except PeerError:
            return
        self._pinned = {**self._pinned, signed.keys.epoch: signed}
        self._write()

    def _check_whose(self, signed: SignedKeys) -> None:
        if signed.keys.context != self._context:
            raise PeerError(OTHER_CONSORTIUM)
        if set(signed.holders) != self._holders:
            raise PeerError("a key set of other holders than this lender's settings name")

    def _check_revoked(self, signed: SignedKeys) -> None:
        revoked = ", ".join(sorted(self._revoked & {*signed.holders}))
        if revoked:
            raise PeerError(f"a key set not known here that needs {revoked}, revoked here")

    def _read(self) -> dict[int, SignedKeys]:
        try:
            texts = json.loads(self._path.read_bytes())
            pinned = [read_signed(text.encode()) for text in texts]
        except FileNotFoundError:
            return {}
        except (OSError, ValueError, AttributeError, TypeError, PeerError) as error:
            raise OperatorError(
                f"{self._path} is damaged",
                remedy="put a copy back; removing it makes this lender believe what it is shown",
            ) from error
        return {signed.keys.epoch: signed for signed in pinned}

    def _write(self) -> None:
        texts = [text_of(signed).decode() for _, signed in sorted(self._pinned.items())]
        try:
            keep_private(self._path.parent)
            write_durably(self._path, json.dumps(texts).encode())
        except OSError as error:
            raise OperatorError(
                f"{self._path} cannot be written: {error.strerror}; nothing was asked",
                remedy="free space, or mend the folder's permissions",
            ) from error


def _is_behind(keys: KeySet, known: KeySet) -> bool:
    """A holder that missed a renewal shows a generation from before; it is the same key."""
    return keys.generation < known.generation and keys.public == known.public


def merged(shown: Sequence[tuple[str, SignedKeys]]) -> list[tuple[SignedKeys, frozenset[str]]]:
    """What holders showed, by their codes, as different key sets and who showed each, in order.

    A holder's certificate is taken from what it showed itself: others may have an older one.
    """
    found: dict[object, tuple[SignedKeys, frozenset[str]]] = {}
    for code, signed in shown:
        same = (signed.keys, signed.holders, signed.signatures)
        before, codes = found.get(same, (signed, frozenset()))
        if code in signed.holders and len(signed.certificates) == len(before.certificates):
            place = signed.holders.index(code)
            certificates = list(before.certificates)
            certificates[place : place + 1] = signed.certificates[place : place + 1]
            before = replace(before, certificates=tuple(certificates))
        found[same] = (before, codes | {code})
    return sorted(found.values(), key=lambda one: (one[0].keys.epoch, one[0].keys.generation))
