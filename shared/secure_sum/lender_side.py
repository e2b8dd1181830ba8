"""A lender's half of the secure sum: what it does in rounds, beside set-ups (`lender_keys.py`).

    slot      fresh ─mask─► masked ─answer─► answered                  (its secrets are wiped)

Invariants:
- Whatever leaves is in the journal first, durably, each time it leaves.
- The same request gets the same bytes again; another request in the same place is a RefusedError.
- A slot masks one update for one RoundOpen, once; an update is masked for one round, once.
- A lender gives, of each other lender, a share of the self-mask seed or of the mask key, never of
  both, because it answers a round once, for one set of survivors.
- Only the round masked last is opened, and nothing is masked before it is shown that the round
  answered last was answered alike: no answer escapes that proof.
- Sums of guarded kinds are over the same lenders: within an agreement always, and over the same
  rows under another one, unless a person at this lender has allowed other ones.

Source: Bonawitz et al., CCS 2017, section 4, against an active server; the consistency round is
replaced by a threshold above two thirds: docs/protocols/secure-sum.md.
"""

from __future__ import annotations

from base64 import b64decode, b64encode
from collections.abc import Iterable, Set
from dataclasses import replace
from itertools import islice

import numpy as np
from numpy.typing import NDArray

from shared.errors import InternalError, PeerError
from shared.secure_sum import lender_checks as check
from shared.secure_sum.differences import nearest_of
from shared.secure_sum.encoding import text_of
from shared.secure_sum.fixed_point import to_ring
from shared.secure_sum.floors import RefusedError
from shared.secure_sum.history import Journal, Record, update_of
from shared.secure_sum.lender_keys import LenderKeys, Terms
from shared.secure_sum.lender_secrets import LenderSetUp, SecretStore
from shared.secure_sum.masks import add_masks
from shared.secure_sum.shamir import SHARE_BYTES
from shared.secure_sum.statements import (
    Answer,
    Delivery,
    MaskedInput,
    Payload,
    Refusal,
    Roll,
    RoundOpen,
    SetUpOpen,
    Survivors,
    answer_transcript,
    masked_transcript,
    name_of,
    signed,
)
from shared.secure_sum.suite import Randomness

__all__ = ["Asked", "LenderSide", "Terms", "UnprovenError"]

Asked = SetUpOpen | Roll | Delivery | RoundOpen | Survivors


class UnprovenError(PeerError):
    """The next round needs it shown that the others answered the round `name` alike."""

    def __init__(self, name: bytes) -> None:
        super().__init__("it is not shown yet that the others were told the same survivors")
        self.name = name


class LenderSide(LenderKeys):
    """One lender in the set-ups and rounds of one agreement."""

    def __init__(
        self, terms: Terms, store: SecretStore, journal: Journal, randomness: Randomness
    ) -> None:
        super().__init__(terms, store, journal, randomness)
        self._proven = ""

    def mask(
        self,
        opened: RoundOpen,
        due: Payload,
        vector: NDArray[np.int64],
        *,
        purpose: str,
        agreed: Iterable[tuple[str, bytes]] = (),
    ) -> MaskedInput:
        """This lender's numbers, int64 (length,), under the masks of the round.

        `due`: the payload this lender's own copy of the run asks for; `agreed`: codes and
        signatures of answers to the round this lender answered last. Raises RefusedError, and
        UnprovenError when `agreed` does not do; OperatorError when a number does not fit the ring.
        """
        set_up, name = self._check_round(opened, due), name_of(self._suite, opened)
        self.check_agreed(agreed)
        if len(vector) != opened.payload.length:
            raise InternalError(f"stage {due.stage}: a vector of another length than is due")
        secrets = self._secrets(opened.slot)
        values = to_ring(vector, opened.bits)
        publics = [keys.masks[opened.slot] for keys in set_up.roll[0].keys]
        place = set_up.place(self._code)
        try:
            add_masks(self._suite, values, name, (secrets.mask, secrets.seed), place, publics)
        except PeerError as error:
            raise RefusedError("point", came=f"slot {opened.slot}") from error
        text = masked_transcript(self._suite, name, self._code, values)
        self._record_masked(set_up, opened, text, values.nbytes, purpose)
        self._wipe_below(opened.slot)
        signature = self._suite.sign(self._terms.identity.private, text)
        return MaskedInput(name, self._code, values, signature)

    def check_due(
        self, opened: RoundOpen, due: Payload, agreed: Iterable[tuple[str, bytes]]
    ) -> None:
        """All that `mask` checks before it looks at the numbers, so that a lender works out none
        for a round it does not take part in.
        """
        self._check_round(opened, due)
        self.check_agreed(agreed)

    def failed(self, opened: RoundOpen) -> None:
        """The numbers for a round could not be given. That tells something about them, so it is
        recorded, and the stage has no other round: nobody can ask with other totals and compare.
        """
        payload = opened.payload
        self._record(
            "refusal", "the numbers could not be given", b"", stage=payload.stage,
            payload=payload.kind, set_up=opened.set_up.hex(), slot=opened.slot,
            round=name_of(self._suite, opened).hex(), run=payload.run.hex(),
        )  # fmt: skip

    def retire(self) -> None:
        """The run is over: wipe what is left of the set-up."""
        set_up = self._set_up()
        if set_up is not None and set_up.opened.agreement == self._terms.agreement:
            self._wipe_below(set_up.opened.slots)

    def _wipe_below(self, slot: int) -> None:
        """Slots below are never answered any more."""
        for earlier in reversed(range(self._wiped, slot)):
            if self._store.slot(earlier) is None:
                break
            self._store.wipe(earlier)
        self._wiped = max(self._wiped, slot)

    def answer(self, survivors: Survivors) -> Answer:
        """Release one share of each member, for the one set of survivors, then wipe."""
        masked = self._journal.history.masked.get(survivors.round.hex())
        if masked is None:
            raise RefusedError("round")
        set_up, roll = self._rolled(bytes.fromhex(masked.set_up))
        check.signature(self._suite, set_up.coordinator, survivors)
        given = self._journal.history.answered.get(masked.round)
        if given is not None:
            if given.lenders != survivors.alive:
                raise RefusedError("answered")
            self._journal.append(given)
            return self._answer(survivors, b64decode(given.released))
        self._check_survivors(survivors, masked, roll.threshold)
        secrets, alive = self._secrets(masked.slot), set(survivors.alive)
        shares = b"".join(
            secrets.share(place, of_seed=code in alive) for place, code in enumerate(roll.members)
        )
        self._journal.append(
            replace(
                masked,
                kind="answer",
                purpose=f"shares that open the sum of {len(survivors.alive)} lenders",
                content=self._suite.digest(shares).hex(),
                size=len(shares),
                threshold=roll.threshold,
                lenders=survivors.alive,
                released=b64encode(shares).decode(),
            )
        )
        self._store.wipe(masked.slot)
        self._wiped += self._wiped == masked.slot
        return self._answer(survivors, shares)

    def refusal(self, error: RefusedError, asked: Asked | bytes, **about: object) -> Refusal:
        """The refusal of a statement, or of another text the coordinator signed, as signed
        evidence; in the journal like all that leaves, with what it was `about` (fields of Record).
        """
        name = self._suite.digest(asked if isinstance(asked, bytes) else text_of(asked))
        statement = Refusal(self._code, name, error.reason, error.expected, error.came)
        statement = signed(self._suite, self._terms.identity.private, statement)
        self._record("refusal", f"refused: {error.what}", text_of(statement), **about)
        return statement

    def _check_round(self, opened: RoundOpen, due: Payload) -> LenderSetUp:
        set_up, roll = self._rolled(opened.set_up)
        check.signature(self._suite, set_up.coordinator, opened)
        if not set_up.delivered:
            raise RefusedError("round")
        check.round_open(opened, due, len(roll.keys), set_up.opened.slots)
        self._terms.floors.check_payload(opened.payload)
        self._terms.floors.check_sum(len(roll.keys), roll.threshold)
        history, name = self._journal.history, name_of(self._suite, opened).hex()
        if name in history.answered:
            raise RefusedError("slot", expected="a round not answered yet", came=opened.slot)
        if name not in history.masked:
            if opened.slot <= (used := history.slots.get(opened.set_up.hex(), -1)):
                raise RefusedError("slot", expected=f"above {used}", came=opened.slot)
            update = update_of(self._terms.agreement.hex(), opened.payload.stage)
            if history.updates.get(update, name) != name:
                raise RefusedError("again")
        return set_up

    def check_agreed(self, agreed: Iterable[tuple[str, bytes]]) -> None:
        """UnprovenError unless `agreed` shows, by enough signatures, that the round this lender
        answered last under its agreement was answered alike by others; RefusedError without keys.
        """
        last = self._journal.history.last_answers.get(self._terms.agreement.hex())
        set_up = self._set_up()
        if last is None or last.round == self._proven:
            return
        if set_up is None:  # whose signatures these are was in the vault
            raise RefusedError("no-keys")
        text = answer_transcript(bytes.fromhex(last.round), last.lenders)
        shown = {code: sign for code, sign in agreed if code in last.lenders}
        good = (c for c, sign in shown.items() if self._signed(set_up.public_of(c), sign, text))
        if len(list(islice(good, last.threshold))) < last.threshold:
            raise UnprovenError(bytes.fromhex(last.round))
        self._proven = last.round

    def _signed(self, public: bytes | None, signature: bytes, text: bytes) -> bool:
        try:
            if public is not None:
                self._suite.verify(public, signature, text)
        except PeerError:
            return False
        return public is not None

    def _check_survivors(self, survivors: Survivors, masked: Record, threshold: int) -> None:
        if masked.slot < (used := self._journal.history.slots[masked.set_up]):
            raise RefusedError("later", expected=f"slot {used}", came=masked.slot)
        alive, members = survivors.alive, set(masked.lenders)
        if not check.in_order(alive) or self._code not in alive or not set(alive) <= members:
            raise RefusedError("survivors")
        self._terms.floors.check_sum(len(alive), threshold)
        if masked.payload in (kinds := self._terms.floors.same_lenders):
            for earlier in self._journal.history.survivors_of(masked.agreement, kinds):
                if earlier != alive:
                    raise RefusedError("difference", expected=len(earlier), came=len(alive))
            self._check_other_runs(masked, alive, kinds)

    def _check_other_runs(self, masked: Record, alive: tuple[str, ...], kinds: Set[str]) -> None:
        """Sums of two runs over the same rows are subtracted as those of one are: so they are over
        the same lenders, or over some that a person at this lender has allowed.
        """
        history = self._journal.history
        before = history.counted_before(masked.rows, kinds, besides=masked.agreement)
        if before and alive not in before and (masked.rows, alive) not in history.allowed:
            nearest = nearest_of(before, alive)
            raise RefusedError("rows", expected=nearest.in_words(), came=f"{len(alive)} lenders")

    def _answer(self, survivors: Survivors, shares: bytes) -> Answer:
        each = range(0, len(shares), SHARE_BYTES)
        text = answer_transcript(survivors.round, survivors.alive)
        return Answer(
            survivors.round,
            self._code,
            tuple(shares[start : start + SHARE_BYTES] for start in each),
            self._suite.sign(self._terms.identity.private, text),
        )

    def _record_masked(
        self, set_up: LenderSetUp, opened: RoundOpen, text: bytes, size: int, purpose: str
    ) -> None:
        name, content = name_of(self._suite, opened).hex(), self._suite.digest(text).hex()
        earlier = self._journal.history.masked.get(name)
        if earlier is not None and earlier.content != content:
            raise InternalError("the masked input of a repeated round came out otherwise")
        payload = opened.payload
        self._record(
            "masked", purpose, text, size=size, content=content,
            stage=payload.stage, payload=payload.kind, set_up=opened.set_up.hex(),
            slot=opened.slot, round=name, run=payload.run.hex(), lenders=set_up.roll[0].members,
            rows=self._terms.rows,
        )  # fmt: skip
