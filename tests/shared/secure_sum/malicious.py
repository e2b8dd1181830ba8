"""A coordinator that keeps to no rule: it has its own key, what lenders sent, and nothing else."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TypeVar

import numpy as np
import pytest
from numpy.typing import NDArray

from shared.errors import PeerError
from shared.secure_sum.coordinator_side import SetUp
from shared.secure_sum.encoding import text_of
from shared.secure_sum.fixed_point import from_ring
from shared.secure_sum.floors import REASONS, Floors, RefusedError
from shared.secure_sum.lender_secrets import SlotSecrets
from shared.secure_sum.lender_side import Asked, LenderSide
from shared.secure_sum.masks import pair_keys, self_key
from shared.secure_sum.shamir import Combiner
from shared.secure_sum.statements import (
    Answer,
    MaskedInput,
    Payload,
    RoundOpen,
    Survivors,
    check_signature,
    name_of,
    signed,
)
from shared.secure_sum.suite import Suite
from tests.shared.secure_sum.federation import Federation, identity, payload, vectors_of

A = TypeVar("A", bound=Asked)
T = TypeVar("T")
Shares = dict[str, dict[str, bytes]]
"""By owner of the secret, then by who gave the share of it."""


class Attacked:
    """A federation with a finished set-up, and all that reached the coordinator of one round."""

    def __init__(
        self,
        lenders: int = 5,
        *,
        threshold: int | None = None,
        slots: int = 3,
        floors: Floors | None = None,
    ) -> None:
        self.federation = Federation(lenders, slots=slots, floors=floors)
        self.suite = self.federation.suite
        self.codes = self.federation.codes
        self.set_up = self.federation.set_up(threshold=threshold)
        self.vectors = vectors_of(self.codes, 20)
        self.given: dict[str, MaskedInput] = {}
        self.seeds: Shares = {code: {} for code in self.codes}
        self.keys: Shares = {code: {} for code in self.codes}

    def signed(self, statement: A) -> A:
        """Whatever it is, the coordinator signs it."""
        return signed(self.suite, self.federation.coordinator.private, statement)

    def open(self, slot: int = 0, asked: Payload | None = None) -> RoundOpen:
        """A proper RoundOpen."""
        return self.federation.open(self.set_up, slot, asked or payload(slot, 20))

    def mask(self, opened: RoundOpen, codes: Sequence[str] | None = None) -> bytes:
        """All (or these) lenders mask their vectors; returns the round's name."""
        agreed = self.federation.agreed
        for code in codes or self.codes:
            self.given[code] = self.federation.sides[code].mask(
                opened, opened.payload, self.vectors[code], purpose="a test",
                agreed=agreed.get(code, ()),
            )  # fmt: skip
        return name_of(self.suite, opened)

    def survivors(self, name: bytes, alive: Sequence[str]) -> Survivors:
        """Signed survivors, whoever they are."""
        return self.signed(Survivors(name, tuple(alive)))

    def all_but(self, *gone: str) -> tuple[str, ...]:
        """The other lenders."""
        return tuple(code for code in self.codes if code not in gone)

    def tell(self, name: bytes, stories: Mapping[str, Sequence[str]]) -> None:
        """Tell each lender who is alive and keep the shares it gives for that."""
        for code, alive in stories.items():
            self.keep(self.federation.sides[code].answer(self.survivors(name, alive)), alive)

    def keep(self, answer: Answer, alive: Sequence[str]) -> None:
        """Sort an answer's shares by what they are of."""
        for owner, share in zip(self.set_up.roll.members, answer.shares, strict=True):
            (self.seeds if owner in alive else self.keys)[owner][answer.member] = share

    def seed(self, code: str) -> bytes:
        """A lender's self-mask seed; PeerError with too few shares."""
        return combined(self.set_up, self.seeds[code])

    def key(self, code: str) -> bytes:
        """A lender's mask key's seed; PeerError with too few shares."""
        return combined(self.set_up, self.keys[code])

    def read(self, opened: RoundOpen, code: str) -> NDArray[np.int64]:
        """One lender's vector, from its own two secrets."""
        return unmasked(
            self.suite, self.set_up, opened, self.given[code], self.seed(code), self.key(code)
        )


def nothing(*_args: object, **_kept: object) -> None:
    """A check that is off."""


def combined(set_up: SetUp, shares: Mapping[str, bytes]) -> bytes:
    """A secret from a threshold of its shares."""
    holders = sorted(shares)[: set_up.threshold]
    if len(holders) < set_up.threshold:
        raise PeerError("too few shares")
    return Combiner([set_up.place(code) for code in holders]).secret([shares[c] for c in holders])


def unmasked(
    suite: Suite, set_up: SetUp, opened: RoundOpen, given: MaskedInput, seed: bytes, mask: bytes
) -> NDArray[np.int64]:
    """A single masked input with its owner's masks taken off."""
    name, place = name_of(suite, opened), set_up.place(given.member)
    others = [
        (other, keys.masks[opened.slot])
        for other, keys in enumerate(set_up.roll.keys)
        if other != place
    ]
    added, subtracted = pair_keys(suite, mask, place, others, name)
    values = given.values.copy()
    suite.add_streams(values, subtracted, [self_key(suite, seed, name), *added])
    return from_ring(values)


def slot_secrets(federation: Federation, code: str, slot: int) -> SlotSecrets:
    """What a colluding lender hands over of a slot it has not answered."""
    record = federation.stores[code].slot(slot)
    assert record is not None
    return SlotSecrets.from_bytes(record)


def assert_refused(
    federation: Federation,
    ask: Callable[[LenderSide], object],
    asked: Asked,
    reason: str,
    codes: Sequence[str] | None = None,
) -> None:
    """Every lender (or these) refuses for this reason, signs that as evidence, and lets no share or
    masked input out.
    """
    for code in codes or federation.codes:
        side, before = federation.sides[code], [r.kind for r in federation.journals[code].records]
        secrets = list(federation.stores[code].records)
        with pytest.raises(RefusedError) as raised:
            ask(side)
        assert raised.value.reason == reason
        refusal = side.refusal(raised.value, asked)
        check_signature(federation.suite, identity(code).member.public, refusal)
        assert refusal.member == code
        assert refusal.reason in REASONS
        assert refusal.asked == federation.suite.digest(text_of(asked))
        kinds = [record.kind for record in federation.journals[code].records]
        assert kinds == [*before, "refusal"]
        assert federation.stores[code].records == secrets
