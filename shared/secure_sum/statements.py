"""What coordinator and lenders say to each other, and what each signature covers.

    set-up   SetUpOpen ► ◄ MemberKeys     Roll ► ◄ SealedShares     Delivery ► ◄ Ready
    round    RoundOpen ► ◄ MaskedInput    Survivors ► ◄ Answer
    either   ◄ Refusal

Invariants:
- A signature covers the canonical text of the whole statement but itself, and what it replies to.
- `set_up` names a roll by digest, and with it every key of every member; `round` (T in the
  literature) names a RoundOpen and its set-up. Keys are salted with T, so two lenders that were
  told different things share no mask.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property, lru_cache
from typing import Any, Literal, TypeVar

import numpy as np
from numpy.typing import NDArray

from shared.secure_sum.encoding import text_of
from shared.secure_sum.suite import Suite

Kind = Literal["counts", "losses", "gradients", "weights"]
MOST_SLOTS = 1024
MOST_MEMBERS = 4096

_DOMAIN = b"lianfang/secure-sum/v1/"


class _Signed:
    """A statement with a signature of its own."""

    @cached_property
    def unsigned(self) -> Any:
        """The same without it: what the signature covers."""
        statement: Any = self
        return replace(statement, signature=b"")


@dataclass(frozen=True)
class SetUpOpen(_Signed):
    """Coordinator: a new set-up. `counter`: microseconds since 1970, or more where the clock went
    back, so that it rises from one to the next in whichever run; `agreement`, 32 bytes, names the
    run's terms; `nonce`: 32 random bytes; `slots` key sets are wanted.
    """

    counter: int
    agreement: bytes
    nonce: bytes
    slots: int
    suite: str
    coordinator: bytes
    signature: bytes = b""


@dataclass(frozen=True)
class MemberKeys(_Signed):
    """Lender: its keys for a set-up. `opened`: digest of the SetUpOpen; per slot a public mask key
    in `masks` and the digest of its self-mask seed in `commitments`.
    """

    opened: bytes
    member: str
    certificate: bytes
    transport: bytes
    masks: tuple[bytes, ...]
    commitments: tuple[bytes, ...]
    signature: bytes = b""


@dataclass(frozen=True)
class Roll(_Signed):
    """Coordinator: the members of a set-up in order of their codes, and how many shares open."""

    opened: bytes
    threshold: int
    keys: tuple[MemberKeys, ...]
    signature: bytes = b""

    @cached_property
    def members(self) -> tuple[str, ...]:
        """Codes, in order: a member's place here is its place in every sharing."""
        return tuple(keys.member for keys in self.keys)

    @cached_property
    def places(self) -> dict[str, int]:
        """Each member's place."""
        return {keys.member: place for place, keys in enumerate(self.keys)}


@dataclass(frozen=True)
class SealedShares:
    """Lender: for every other member, in order of the roll, a sealed box of shares of all slots.
    The signature accepts the roll: a member accepts one roll of a set-up.
    """

    set_up: bytes
    member: str
    boxes: tuple[tuple[str, bytes], ...]
    signature: bytes


@dataclass(frozen=True)
class Delivery:
    """Coordinator: to one member, from every other in order, its code, the box and the signature
    that accepts the roll.
    """

    set_up: bytes
    boxes: tuple[tuple[str, bytes, bytes], ...]


@dataclass(frozen=True)
class Ready(_Signed):
    """Lender: it holds the shares of all members of the roll."""

    set_up: bytes
    member: str
    signature: bytes = b""


@dataclass(frozen=True)
class Payload:
    """What a round's numbers are. `run`: the run's digest before the stage, 32 bytes; `clip`: the
    most one row (weights: one value) adds to a number; cells of fewer than `minimum_cell` rows are
    sent as 0.
    """

    run: bytes
    stage: str
    kind: str
    length: int
    fraction_bits: int
    clip: float
    minimum_cell: int


@dataclass(frozen=True)
class RoundOpen(_Signed):
    """Coordinator: one round of all members of the set-up. A lender's values fit `bits` bits."""

    set_up: bytes
    slot: int
    payload: Payload
    bits: int
    signature: bytes = b""


@dataclass(frozen=True, eq=False)
class MaskedInput:
    """Lender: its masked values, uint32 (length,)."""

    round: bytes
    member: str
    values: NDArray[np.uint32]
    signature: bytes


@dataclass(frozen=True)
class Survivors(_Signed):
    """Coordinator: the members whose masked input is in the sum, in order."""

    round: bytes
    alive: tuple[str, ...]
    signature: bytes = b""


@dataclass(frozen=True)
class Answer:
    """Lender: in order of the roll one share a member, 33 bytes: of the self-mask seed of the
    alive, of the mask key of the dead. The signature is over (round, alive).
    """

    round: bytes
    member: str
    shares: tuple[bytes, ...]
    signature: bytes


@dataclass(frozen=True)
class Refusal(_Signed):
    """Lender: signed evidence that it was asked something it must not do. `asked`: digest of that
    statement; `reason`: one of `refusal.REASONS`; `expected` and `came`: numbers or codes only.
    """

    member: str
    asked: bytes
    reason: str
    expected: str
    came: str
    signature: bytes = b""


Signed = SetUpOpen | MemberKeys | Roll | Ready | RoundOpen | Survivors | Refusal
S = TypeVar("S", SetUpOpen, MemberKeys, Roll, Ready, RoundOpen, Survivors, Refusal)


def transcript(statement: Signed) -> bytes:
    """The bytes a signature on `statement` covers."""
    return _DOMAIN + text_of(statement.unsigned)


def signed(suite: Suite, private: bytes, statement: S) -> S:
    """The statement with its signature."""
    return replace(statement, signature=suite.sign(private, transcript(statement)))


def check_signature(suite: Suite, public: bytes, statement: Signed) -> None:
    """PeerError unless `public` signed the statement."""
    suite.verify(public, statement.signature, transcript(statement))


def name_of(suite: Suite, statement: SetUpOpen | Roll | RoundOpen | Survivors | Delivery) -> bytes:
    """Digest, 32 bytes, that later statements refer to: of a roll the set-up, of a RoundOpen T."""
    return suite.digest(_DOMAIN + text_of(statement))


def accepting_transcript(set_up: bytes) -> bytes:
    """What a member signs to accept the roll, and no other of its set-up."""
    return _DOMAIN + b"accept|" + set_up


def masked_transcript(suite: Suite, name: bytes, member: str, values: NDArray[np.uint32]) -> bytes:
    """What a lender signs with its masked values of the round called `name`."""
    content = suite.digest(np.ascontiguousarray(values, dtype="<u4").data)
    return _DOMAIN + b"masked-input|" + name + content + member.encode()


@lru_cache(maxsize=64)  # it is asked for with every answer, and with every proof of answers
def answer_transcript(name: bytes, alive: tuple[str, ...]) -> bytes:
    """What a lender signs with its answer: round and survivors, the same for all lenders."""
    return _DOMAIN + b"answer|" + text_of(Survivors(name, alive))
