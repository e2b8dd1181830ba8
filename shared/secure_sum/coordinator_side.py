"""The coordinator's half of the secure sum: set-ups.

    opened ─take_keys…─ close_keys ► Roll ─take_shares…─ delivery ► Delivery ─take_ready…─ finished

Invariants:
- A statement that does not fit raises PeerError and changes nothing; the same one twice counts
  once.
- Every member of the roll has accepted it and shared, or the set-up comes to nothing: a roll that
  only some accepted would let a coordinator play lenders off against each other.
"""

from __future__ import annotations

from dataclasses import dataclass

from shared.errors import InternalError, PeerError
from shared.identity.certificate import Identity
from shared.secure_sum.floors import least_threshold
from shared.secure_sum.shamir import SHARE_BYTES
from shared.secure_sum.statements import (
    Delivery,
    MemberKeys,
    Ready,
    Roll,
    SealedShares,
    SetUpOpen,
    accepting_transcript,
    check_signature,
    name_of,
    signed,
)
from shared.secure_sum.suite import Suite
from shared.secure_sum.trust import Trust

_SEAL_BYTES = 16


@dataclass(frozen=True)
class SetUp:
    """A finished set-up. `name`: 32 bytes; `members`: codes of those that are ready, in order;
    `publics`: identity keys of all on the roll, in its order.
    """

    opened: SetUpOpen
    roll: Roll
    name: bytes
    publics: tuple[bytes, ...]
    members: tuple[str, ...]

    @property
    def slots(self) -> int:
        """How many rounds it can serve."""
        return self.opened.slots

    @property
    def threshold(self) -> int:
        """Shares that open a secret."""
        return self.roll.threshold

    def place(self, member: str) -> int:
        """A member's place on the roll; PeerError when it has none."""
        if member not in self.roll.places:
            raise PeerError("not a member of the set-up")
        return self.roll.places[member]


class SetUpUnderWay:
    """The coordinator's side of one set-up. `counter` must be higher than of any earlier one."""

    def __init__(
        self, suite: Suite, identity: Identity, trust: Trust,
        *, agreement: bytes, counter: int, nonce: bytes, slots: int,
    ) -> None:  # fmt: skip
        self._suite = suite
        self._identity = identity
        self._trust = trust
        self._keys: dict[str, MemberKeys] = {}
        self._publics: dict[str, bytes] = {}
        self._shares: dict[str, dict[str, bytes]] = {}
        self._accepted: dict[str, bytes] = {}
        self._ready: set[str] = set()
        self._roll: Roll | None = None
        self._name = b""
        certificate = identity.member.certificate
        opened = SetUpOpen(counter, agreement, nonce, slots, suite.name, certificate)
        self.opened = signed(suite, identity.private, opened)

    def take_keys(self, keys: MemberKeys) -> None:
        """A lender's keys; PeerError when they are not this set-up's or not by that lender."""
        if self._roll is not None:
            raise PeerError("keys after the roll was closed")
        member = self._trust.member(keys.certificate, "lender")
        slots = {len(keys.masks), len(keys.commitments)}
        named = name_of(self._suite, self.opened)
        if member.code != keys.member or keys.opened != named or slots != {self.opened.slots}:
            raise PeerError("keys that are not this set-up's")
        check_signature(self._suite, member.public, keys)
        self._check_points(keys)
        if self._keys.setdefault(keys.member, keys) != keys:
            raise PeerError("other keys than before")
        self._publics[keys.member] = member.public

    def _check_points(self, keys: MemberKeys) -> None:
        """Who sends a point that no secret can be agreed with would stop every lender: left out."""
        probe = self._suite.private_key(self.opened.nonce)
        self._suite.agree_many(probe, [keys.transport, *keys.masks])

    def close_keys(self, threshold: int | None = None) -> Roll:
        """No further members; `threshold` None takes the least, ⌊2n/3⌋ + 1."""
        keys = tuple(self._keys[code] for code in sorted(self._keys))
        if threshold is None:
            threshold = least_threshold(len(keys))
        roll = Roll(name_of(self._suite, self.opened), threshold, keys)
        self._roll = signed(self._suite, self._identity.private, roll)
        self._name = name_of(self._suite, self._roll)
        return self._roll

    def take_shares(self, sealed: SealedShares) -> None:
        """A member's boxes, one for every other member, of the right size."""
        roll, boxes = self._closed(), dict(sealed.boxes)
        size = 2 * SHARE_BYTES * self.opened.slots + _SEAL_BYTES
        others = [code for code in roll.members if code != sealed.member]
        if sealed.set_up != self._name or sealed.member not in roll.members:
            raise PeerError("shares that are not this set-up's")
        if [code for code, _ in sealed.boxes] != others:
            raise PeerError("shares for other members than the roll's")
        if any(len(box) != size for box in boxes.values()):
            raise PeerError("boxes of another size than the slots'")
        text = accepting_transcript(self._name)
        self._suite.verify(self._publics[sealed.member], sealed.signature, text)
        if self._shares.setdefault(sealed.member, boxes) != boxes:
            raise PeerError("other shares than before")
        self._accepted[sealed.member] = sealed.signature

    @property
    def shared(self) -> tuple[str, ...]:
        """Members whose shares have come, in order."""
        return tuple(sorted(self._shares))

    def delivery(self, member: str) -> Delivery:
        """The boxes for one member; PeerError before every member of the roll has shared."""
        missing = [code for code in self._closed().members if code not in self._shares]
        if missing:
            raise PeerError(f"no shares from {', '.join(missing)}")
        others = [sender for sender in self.shared if sender != member]
        boxes = [(code, self._shares[code][member], self._accepted[code]) for code in others]
        return Delivery(self._name, tuple(boxes))

    def take_ready(self, ready: Ready) -> None:
        """A member holds the shares it was delivered."""
        self._closed()
        if ready.set_up != self._name or ready.member not in self._shares:
            raise PeerError("a word about another set-up")
        check_signature(self._suite, self._publics[ready.member], ready)
        self._ready.add(ready.member)

    @property
    def ready(self) -> tuple[str, ...]:
        """Members that hold all shares, in order."""
        return tuple(sorted(self._ready))

    def finished(self) -> SetUp:
        """The set-up, once enough members are ready; PeerError before."""
        roll = self._closed()
        if len(self.ready) < roll.threshold:
            raise PeerError(f"{len(self.ready)} members are ready, {roll.threshold} are needed")
        publics = tuple(self._publics[code] for code in roll.members)
        return SetUp(self.opened, roll, self._name, publics, self.ready)

    def _closed(self) -> Roll:
        if self._roll is None:
            raise InternalError("the roll has not been closed")
        return self._roll
