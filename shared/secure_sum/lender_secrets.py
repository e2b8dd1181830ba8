"""What a lender keeps of a set-up: one state, and one record of secrets a slot.

Invariants:
- A slot's record holds all its secrets and nothing else does, so wiping it is enough to make the
  slot's masked input unopenable with this lender's help.
- `repr` shows no secret.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol

from shared.errors import InternalError
from shared.secure_sum.shamir import SHARE_BYTES
from shared.secure_sum.statements import MemberKeys, Roll, SetUpOpen

SECRET_BYTES = 32


class SecretStore(Protocol):
    """A lender's vault: one set-up's state and its slots' secrets, on its own disk."""

    def keep(self, state: bytes, slots: Sequence[bytes]) -> None:
        """Replace everything, durably; all records have one length."""
        ...

    def state(self) -> bytes | None:
        """The state kept last; None when there is none."""
        ...

    def slot(self, number: int) -> bytes | None:
        """A slot's record; None when it was wiped."""
        ...

    def slots(self, count: int) -> list[bytes | None]:
        """The records of the first `count` slots, as `slot` gives each."""
        ...

    def wipe(self, number: int) -> None:
        """Overwrite a slot's record."""
        ...


@dataclass(frozen=True)
class SlotSecrets:
    """A slot's own secrets, 32 bytes each: `mask`, the mask key's seed, and `seed`, of the
    self-mask; `shares`: of every member of the roll in order, its two shares, 66 bytes, zero where
    none is held (empty before they came).
    """

    mask: bytes = field(repr=False)
    seed: bytes = field(repr=False)
    shares: tuple[bytes, ...] = field(repr=False, default=())

    def to_bytes(self) -> bytes:
        """One record."""
        return self.mask + self.seed + b"".join(self.shares)

    @classmethod
    def from_bytes(cls, record: bytes) -> SlotSecrets:
        """Inverse of `to_bytes`."""
        own, rest = record[: 2 * SECRET_BYTES], record[2 * SECRET_BYTES :]
        if len(own) != 2 * SECRET_BYTES or len(rest) % (2 * SHARE_BYTES):
            raise InternalError("a record of secrets is cut short")
        size = 2 * SHARE_BYTES
        shares = tuple(rest[start : start + size] for start in range(0, len(rest), size))
        return cls(own[:SECRET_BYTES], own[SECRET_BYTES:], shares)

    def share(self, place: int, *, of_seed: bool) -> bytes:
        """The share held of the member at `place`: of its self-mask seed or of its mask key."""
        held = self.shares[place]
        return held[:SHARE_BYTES] if of_seed else held[SHARE_BYTES:]


@dataclass(frozen=True)
class LenderSetUp:
    """A lender's view of a set-up; tuples of one or none where something comes later.

    `name`: the set-up's, from its roll; `boxes`: as sealed by this lender; `delivered`: name of the
    delivery taken, whose shares are here; `known`: public keys by code of earlier rolls.
    """

    opened: SetUpOpen
    coordinator: bytes
    transport: bytes = field(repr=False)
    own: MemberKeys
    known: tuple[tuple[str, bytes], ...] = ()
    name: bytes = b""
    roll: tuple[Roll, ...] = ()
    publics: tuple[bytes, ...] = ()
    boxes: tuple[tuple[str, bytes], ...] = ()
    delivered: bytes = b""

    def place(self, code: str) -> int:
        """A member's place on the roll; InternalError when it is not there."""
        if not self.roll or code not in self.roll[0].places:
            raise InternalError("a lender that is not on the roll")
        return self.roll[0].places[code]

    def others(self) -> list[str]:
        """Codes of the other members, in order."""
        return [code for code in self.roll[0].members if code != self.own.member]

    def public_of(self, code: str) -> bytes | None:
        """A member's identity key, of this roll or an earlier one."""
        if self.roll and code in self.roll[0].places:
            return self.publics[self.place(code)]
        return dict(self.known).get(code)

    def all_known(self) -> tuple[tuple[str, bytes], ...]:
        """Every member met so far."""
        rolled = zip(self.roll[0].members, self.publics, strict=True) if self.roll else ()
        return tuple(sorted((dict(self.known) | dict(rolled)).items()))
