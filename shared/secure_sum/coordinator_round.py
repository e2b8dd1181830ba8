"""The coordinator's half of one round.

    RoundOpen ─take_masked…─ close ► Survivors ─take_answer…─ total

Invariants:
- Masked inputs are added up as they come and not kept; after `close` none is added.
- `total` is the exact sum of the survivors' numbers or an error: every secret that is put together
  is checked against what its owner committed to before it is used.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain

import numpy as np
from numpy.typing import NDArray

from shared.errors import PeerError
from shared.identity.certificate import Identity
from shared.secure_sum.coordinator_side import SetUp
from shared.secure_sum.fixed_point import from_ring, lender_bits
from shared.secure_sum.masks import Keys, pair_keys, self_key
from shared.secure_sum.shamir import SHARE_BYTES, Combiner
from shared.secure_sum.statements import (
    Answer,
    MaskedInput,
    Payload,
    RoundOpen,
    Survivors,
    answer_transcript,
    masked_transcript,
    name_of,
    signed,
)
from shared.secure_sum.suite import Suite


@dataclass(frozen=True, eq=False)
class Closed:
    """A round after its survivors are settled: with the SetUp all that is needed to finish it.
    `masked`: sum of the survivors' masked inputs, uint32.
    """

    opened: RoundOpen
    survivors: Survivors
    masked: NDArray[np.uint32]


def open_round(
    suite: Suite, identity: Identity, set_up: SetUp, slot: int, payload: Payload
) -> RoundOpen:
    """A signed RoundOpen; as many bits as the ring has room for."""
    opened = RoundOpen(set_up.name, slot, payload, lender_bits(len(set_up.roll.keys)))
    return signed(suite, identity.private, opened)


class Collecting:
    """Masked inputs of one round."""

    def __init__(self, suite: Suite, identity: Identity, set_up: SetUp, opened: RoundOpen) -> None:
        self._suite = suite
        self._identity = identity
        self._set_up = set_up
        self.opened = opened
        self.name = name_of(suite, opened)
        self._masked = np.zeros(opened.payload.length, dtype=np.uint32)
        self._alive: set[str] = set()
        self._settled = False

    @property
    def alive(self) -> tuple[str, ...]:
        """Members whose masked input is in, in order."""
        return tuple(sorted(self._alive))

    def take_masked(self, given: MaskedInput) -> None:
        """Add a member's masked input; PeerError when it is not this round's, not the member's, or
        comes after `close`. The same member twice counts once.
        """
        if given.round != self.name or given.member not in self._set_up.roll.members:
            raise PeerError("a masked input of another round")
        if given.values.shape != self._masked.shape or given.values.dtype != np.uint32:
            raise PeerError("a masked input of another length")
        text = masked_transcript(self._suite, self.name, given.member, given.values)
        public = self._set_up.publics[self._set_up.place(given.member)]
        self._suite.verify(public, given.signature, text)
        if given.member in self._alive:
            return
        if self._settled:  # the survivors are signed; one more vector would spoil their sum
            raise PeerError("a masked input after the survivors were settled")
        self._masked += given.values
        self._alive.add(given.member)

    def close(self) -> Closed:
        """Settle the survivors; PeerError when they are too few to be opened."""
        if len(self._alive) < self._set_up.threshold:
            raise PeerError(
                f"{len(self._alive)} lenders sent their masked input, "
                f"{self._set_up.threshold} are needed"
            )
        self._settled = True
        survivors = Survivors(self.name, self.alive)
        survivors = signed(self._suite, self._identity.private, survivors)
        return Closed(self.opened, survivors, self._masked)


class Opening:
    """Answers that open the sum of a closed round. `liar`: the member whose wrong shares `total`
    found and did without, if there is one.
    """

    def __init__(self, suite: Suite, set_up: SetUp, closed: Closed) -> None:
        self._suite = suite
        self._set_up = set_up
        self._closed = closed
        self._answers: dict[str, Answer] = {}
        self.liar = ""

    @property
    def answered(self) -> tuple[str, ...]:
        """Members whose answer is in, in order."""
        return tuple(sorted(self._answers))

    @property
    def needed(self) -> int:
        """How many answers open the sum."""
        return self._set_up.threshold

    @property
    def enough(self) -> bool:
        """Whether the sum can be opened."""
        return len(self._answers) >= self.needed

    @property
    def agreed(self) -> tuple[tuple[str, bytes], ...]:
        """Codes and signatures over round and survivors: what the next round shows to lenders."""
        return tuple((code, self._answers[code].signature) for code in self.answered)

    def take_answer(self, answer: Answer) -> None:
        """A survivor's shares; PeerError when they are not this round's or not by that member."""
        survivors, members = self._closed.survivors, self._set_up.roll.members
        if answer.round != survivors.round or answer.member not in survivors.alive:
            raise PeerError("an answer to another round")
        if [len(share) for share in answer.shares] != [SHARE_BYTES] * len(members):
            raise PeerError("an answer without one share of each lender")
        text = answer_transcript(survivors.round, survivors.alive)
        public = self._set_up.publics[self._set_up.place(answer.member)]
        self._suite.verify(public, answer.signature, text)
        self._answers.setdefault(answer.member, answer)

    def total(self) -> NDArray[np.int64]:
        """The exact sum of the survivors' numbers, int64 (length,).

        Takes one wrong answer out when there are more than enough; PeerError naming the lender
        whose secrets do not open otherwise.
        """
        if not self.enough:
            raise PeerError(
                f"{len(self._answers)} lenders answered, {self._set_up.threshold} are needed"
            )
        secrets, total = self._secrets(), self._closed.masked.copy()
        added, subtracted = self._masks(secrets)
        self._suite.add_streams(total, added, subtracted)
        return from_ring(total)

    def _masks(self, secrets: dict[str, bytes]) -> Keys:
        """Stream keys that take the survivors' masks off: their own, and those with the dead."""
        name, slot = self._closed.survivors.round, self._closed.opened.slot
        roll, alive = self._set_up.roll, self._closed.survivors.alive
        living = [
            (place, keys.masks[slot])
            for place, keys in enumerate(roll.keys)
            if keys.member in alive
        ]
        added: list[bytes] = []
        subtracted = [self_key(self._suite, secrets[code], name) for code in alive]
        for place, code in enumerate(roll.members):
            if code not in alive:
                # In the sum stand the survivors' signs of these masks: the opposite of its own.
                plus, minus = pair_keys(self._suite, secrets[code], place, living, name)
                added += plus
                subtracted += minus
        return added, subtracted

    def _secrets(self) -> dict[str, bytes]:
        """The members' secrets: self-mask seeds of the alive, mask keys of the dead."""
        threshold = self._set_up.threshold
        chosen = list(self.answered[:threshold])
        found, wrong = self._combined(chosen)
        spare = self.answered[threshold:]
        for liar in chain(chosen) if wrong and spare else ():
            found, wrong = self._combined([code for code in chosen if code != liar] + [spare[0]])
            if not wrong:
                self.liar = liar
                break
        if wrong:
            raise PeerError(f"the shares of {', '.join(wrong)} do not open what was committed to")
        return found

    def _combined(self, holders: Sequence[str]) -> tuple[dict[str, bytes], list[str]]:
        combiner = Combiner([self._set_up.place(code) for code in holders])
        found, wrong = {}, []
        for place, code in enumerate(self._set_up.roll.members):
            shares = [self._answers[holder].shares[place] for holder in holders]
            try:
                found[code] = combiner.secret(shares)
                self._check_secret(code, found[code])
            except PeerError:
                wrong.append(code)
        return found, wrong

    def _check_secret(self, code: str, secret: bytes) -> None:
        keys = self._set_up.roll.keys[self._set_up.place(code)]
        slot, suite = self._closed.opened.slot, self._suite
        if code in self._closed.survivors.alive:
            right = suite.digest(secret) == keys.commitments[slot]
        else:
            right = suite.public_key(suite.private_key(secret)) == keys.masks[slot]
        if not right:
            raise PeerError("a secret that is not the committed one")
