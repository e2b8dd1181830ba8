"""A lender's half of the secure sum.

    set-up    none ─keys─► keyed ─shares─► shared ─ready─► ready      (a new set-up starts over)
    slot      fresh ─mask─► masked ─answer─► answered                  (its secrets are wiped)

Invariants:
- Whatever leaves is in the journal first, durably, each time it leaves.
- The same request gets the same bytes again; another request in the same place is a RefusedError.
- A slot masks one update for one RoundOpen, once; an update is masked for one round, once.
- A lender gives, of each other lender, a share of the self-mask seed or of the mask key, never of
  both, because it answers a round once, for one set of survivors.
- Only the round masked last is opened, and nothing is masked before it is shown that the round
  answered last was answered alike: no answer escapes that proof.

Source: Bonawitz et al., CCS 2017, section 4, against an active server; the consistency round is
replaced by a threshold above two thirds: docs/protocols/secure-sum.md.
"""

from __future__ import annotations

from base64 import b64decode, b64encode
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import islice

import numpy as np
from numpy.typing import NDArray

from shared.errors import InternalError, PeerError
from shared.identity.certificate import Identity
from shared.secure_sum import lender_checks as check
from shared.secure_sum.boxes import open_boxes, seal_boxes
from shared.secure_sum.encoding import read_text, text_of
from shared.secure_sum.fixed_point import to_ring
from shared.secure_sum.floors import Floors, RefusedError
from shared.secure_sum.history import Journal, Record, update_of
from shared.secure_sum.lender_secrets import LenderSetUp, SecretStore, SlotSecrets
from shared.secure_sum.masks import add_masks
from shared.secure_sum.shamir import SHARE_BYTES
from shared.secure_sum.statements import (
    Answer,
    Delivery,
    MaskedInput,
    MemberKeys,
    Payload,
    Ready,
    Refusal,
    Roll,
    RoundOpen,
    SealedShares,
    SetUpOpen,
    Survivors,
    accepting_transcript,
    answer_transcript,
    masked_transcript,
    name_of,
    signed,
)
from shared.secure_sum.suite import Randomness, Suite
from shared.secure_sum.trust import Trust

Asked = SetUpOpen | Roll | Delivery | RoundOpen | Survivors


class UnprovenError(PeerError):
    """The next round needs it shown that the others answered the round `name` alike."""

    def __init__(self, name: bytes) -> None:
        super().__init__("it is not shown yet that the others were told the same survivors")
        self.name = name


@dataclass(frozen=True)
class Terms:
    """What a lender brings to its half: who it is, whom it believes, what it insists on.
    `agreement`: digest of the run's terms, 32 bytes.
    """

    suite: Suite
    identity: Identity
    trust: Trust
    floors: Floors
    agreement: bytes


class LenderSide:
    """One lender in the set-ups and rounds of one agreement."""

    def __init__(
        self, terms: Terms, store: SecretStore, journal: Journal, randomness: Randomness
    ) -> None:
        self._terms = terms
        self._suite = terms.suite
        self._code = terms.identity.member.code
        self._store = store
        self._journal = journal
        self._randomness = randomness
        self._kept: LenderSetUp | None = None
        self._proven: str = ""

    def forget(self) -> None:
        """Read what is kept anew: another process of this lender may have changed it."""
        self._kept = None

    def settle(self) -> None:
        """Finish what a crash may have interrupted: wipe the slots that are spent."""
        self._set_up()

    def keys(self, opened: SetUpOpen) -> MemberKeys:
        """Answer a SetUpOpen with fresh keys for every slot."""
        before = self._set_up()
        if before is not None and before.opened == opened:
            return self._keys_leave(before)
        terms = self._terms
        counter, now = self._journal.history.counter, terms.trust.clock().timestamp()
        check.opening(self._suite, opened, terms.agreement, counter, now)
        coordinator = check.holder(terms.trust, opened.coordinator, "coordinator")
        check.signature(self._suite, coordinator.public, opened)
        slots = [self._fresh() for _ in range(opened.slots)]
        transport = self._randomness(32)
        own = self._member_keys(opened, transport, slots)
        known = () if before is None else before.all_known()
        set_up = LenderSetUp(opened, coordinator.public, transport, own, known)
        self._keep(set_up, slots)
        return self._keys_leave(set_up)

    def shares(self, roll: Roll) -> SealedShares:
        """Check the roll of members and seal this lender's shares to each of them."""
        set_up = self._set_up()
        if set_up is None or name_of(self._suite, set_up.opened) != roll.opened:
            raise RefusedError("roll")
        if set_up.roll:
            if set_up.roll[0] != roll:
                raise RefusedError("roll")
            return self._shares_leave(set_up)
        check.signature(self._suite, set_up.coordinator, roll)
        publics = check.roll(self._suite, self._terms.trust, roll, set_up.opened, set_up.own)
        listed = len(self._terms.trust.pinned or ())
        self._terms.floors.check_roll(len(roll.keys), roll.threshold, listed)
        name = name_of(self._suite, roll)
        slots = [self._secrets(slot) for slot in range(set_up.opened.slots)]
        boxes, slots = seal_boxes(self._suite, set_up, roll, name, slots, self._randomness)
        set_up = replace(set_up, roll=(roll,), publics=publics, name=name, boxes=boxes)
        self._keep(set_up, slots)
        return self._shares_leave(set_up)

    def ready(self, delivery: Delivery) -> Ready:
        """Open the boxes of the others."""
        set_up, _ = self._rolled(delivery.set_up)
        delivered = name_of(self._suite, delivery)
        if set_up.delivered and set_up.delivered != delivered:
            raise RefusedError("delivery")
        if not set_up.delivered:
            slots = [self._secrets(slot) for slot in range(set_up.opened.slots)]
            slots = open_boxes(self._suite, set_up, delivery, slots)
            set_up = replace(set_up, delivered=delivered)
            self._keep(set_up, slots)
        ready = Ready(set_up.name, self._code)
        ready = signed(self._suite, self._terms.identity.private, ready)
        self._record("ready", "that this lender holds the members' shares", text_of(ready))
        return ready

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
        for earlier in reversed(range(slot)):
            if self._store.slot(earlier) is None:
                break
            self._store.wipe(earlier)

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
        return self._answer(survivors, shares)

    def refusal(self, error: RefusedError, asked: Asked) -> Refusal:
        """The refusal as signed evidence, in the journal like all that leaves."""
        name = self._suite.digest(text_of(asked))
        statement = Refusal(self._code, name, error.reason, error.expected, error.came)
        statement = signed(self._suite, self._terms.identity.private, statement)
        self._record("refusal", f"refused: {error.what}", text_of(statement))
        return statement

    def _set_up(self) -> LenderSetUp | None:
        if self._kept is None:
            state = self._store.state()
            self._kept = None if state is None else read_text(LenderSetUp, state)
            self._wipe_spent()
        return self._kept

    def _wipe_spent(self) -> None:
        """A crash between a record and the wiping that follows it leaves secrets behind: not for
        long. Spent are answered slots, and those below the one masked last.
        """
        kept, history = "" if self._kept is None else self._kept.name.hex(), self._journal.history
        answered = {one.slot for one in history.answered.values() if one.set_up == kept}
        for slot in sorted(answered | set(range(history.slots.get(kept, 0)))):
            if self._store.slot(slot) is not None:
                self._store.wipe(slot)

    def _rolled(self, name: bytes) -> tuple[LenderSetUp, Roll]:
        set_up = self._set_up()
        if set_up is None or not set_up.roll or set_up.name != name:
            raise RefusedError("delivery")
        if set_up.opened.agreement != self._terms.agreement:
            raise RefusedError("agreement")
        return set_up, set_up.roll[0]

    def _secrets(self, slot: int) -> SlotSecrets:
        record = self._store.slot(slot)
        if record is None:
            raise RefusedError("slot", expected="a slot with its secrets", came=slot)
        return SlotSecrets.from_bytes(record)

    def _fresh(self) -> SlotSecrets:
        return SlotSecrets(self._randomness(32), self._randomness(32))

    def _keep(self, set_up: LenderSetUp, slots: Sequence[SlotSecrets]) -> None:
        self._store.keep(text_of(set_up), [slot.to_bytes() for slot in slots])
        self._kept = set_up

    def _member_keys(
        self, opened: SetUpOpen, transport: bytes, slots: Sequence[SlotSecrets]
    ) -> MemberKeys:
        suite = self._suite
        keys = MemberKeys(
            name_of(suite, opened),
            self._code,
            self._terms.identity.member.certificate,
            suite.public_key(suite.private_key(transport)),
            tuple(suite.public_key(suite.private_key(slot.mask)) for slot in slots),
            tuple(suite.digest(slot.seed) for slot in slots),
        )
        return signed(suite, self._terms.identity.private, keys)

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
        answered last under its agreement was answered alike by others.
        """
        last = self._journal.history.last_answers.get(self._terms.agreement.hex())
        set_up = self._set_up()
        if last is None or last.round == self._proven:
            return
        if set_up is None:
            raise UnprovenError(bytes.fromhex(last.round))
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

    def _keys_leave(self, set_up: LenderSetUp) -> MemberKeys:
        text, counter = text_of(set_up.own), set_up.opened.counter
        self._record("keys", "public keys for the rounds to come", text, counter=counter)
        return set_up.own

    def _shares_leave(self, set_up: LenderSetUp) -> SealedShares:
        text = accepting_transcript(set_up.name)
        accepted = self._suite.sign(self._terms.identity.private, text)
        sealed = SealedShares(set_up.name, self._code, set_up.boxes, accepted)
        self._record("shares", "sealed shares of mask keys, for the members", text_of(sealed))
        return sealed

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
        )  # fmt: skip

    def _record(self, kind: str, purpose: str, text: bytes, **known: object) -> None:
        about: dict[str, object] = {
            "content": self._suite.digest(text).hex(),
            "size": len(text),
            "agreement": self._terms.agreement.hex(),
        }
        record: Record = Record(kind=kind, purpose=purpose, **(about | known))  # type: ignore[arg-type]
        self._journal.append(record)
