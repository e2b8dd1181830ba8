"""A lender's keys: set-ups, from fresh secrets for every slot to shares of all members' secrets.

    none ─keys─► keyed ─shares─► shared ─ready─► ready            (a new set-up starts over)

Invariants:
- Whatever leaves is in the journal first, durably, each time it leaves.
- The same request gets the same bytes again; another request in the same place is a RefusedError.
- Boxes are sealed once for one roll, which this lender has checked against its own floors.
- Spent slots are wiped whenever what is kept is read, so a crash leaves none for long.

Source: Bonawitz et al., CCS 2017, section 4: docs/protocols/secure-sum.md.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from shared.identity.certificate import Identity
from shared.secure_sum import lender_checks as check
from shared.secure_sum.boxes import open_boxes, seal_boxes
from shared.secure_sum.encoding import read_text, text_of
from shared.secure_sum.floors import Floors, RefusedError
from shared.secure_sum.history import Journal, Record
from shared.secure_sum.lender_secrets import LenderSetUp, SecretStore, SlotSecrets
from shared.secure_sum.statements import (
    Delivery,
    MemberKeys,
    Ready,
    Roll,
    SealedShares,
    SetUpOpen,
    accepting_transcript,
    name_of,
    signed,
)
from shared.secure_sum.suite import Randomness, Suite
from shared.secure_sum.trust import Trust


@dataclass(frozen=True)
class Terms:
    """What a lender brings to its half: who it is, whom it believes, what it insists on.
    `agreement`: digest of the run's terms, 32 bytes; `rows`: names the rows this lender answers
    from, the same under every agreement.
    """

    suite: Suite
    identity: Identity
    trust: Trust
    floors: Floors
    agreement: bytes
    rows: str = ""


class LenderKeys:
    """One lender in the set-ups of one agreement."""

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
        self._wiped = 0  # slots of the set-up kept below this one hold no secrets

    def forget(self) -> None:
        """Read what is kept anew: another process of this lender may have changed it."""
        self._kept, self._wiped = None, 0

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
        if set_up is None:
            raise RefusedError("no-keys")
        if name_of(self._suite, set_up.opened) != roll.opened:
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
        slots = self._all_secrets(set_up)
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
            slots = open_boxes(self._suite, set_up, delivery, self._all_secrets(set_up))
            set_up = replace(set_up, delivered=delivered)
            self._keep(set_up, slots)
        ready = Ready(set_up.name, self._code)
        ready = signed(self._suite, self._terms.identity.private, ready)
        self._record("ready", "that this lender holds the members' shares", text_of(ready))
        return ready

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
        if set_up is None:
            raise RefusedError("no-keys")
        if not set_up.roll or set_up.name != name:
            raise RefusedError("delivery")
        if set_up.opened.agreement != self._terms.agreement:
            raise RefusedError("agreement")
        return set_up, set_up.roll[0]

    def _secrets(self, slot: int) -> SlotSecrets:
        return self._read_secrets(slot, self._store.slot(slot))

    def _all_secrets(self, set_up: LenderSetUp) -> list[SlotSecrets]:
        records = self._store.slots(set_up.opened.slots)
        return [self._read_secrets(slot, record) for slot, record in enumerate(records)]

    def _read_secrets(self, slot: int, record: bytes | None) -> SlotSecrets:
        if record is None and self._store.state() is None:
            raise RefusedError("no-keys")
        if record is None:
            raise RefusedError("slot", expected="a slot with its secrets", came=slot)
        return SlotSecrets.from_bytes(record)

    def _fresh(self) -> SlotSecrets:
        return SlotSecrets(self._randomness(32), self._randomness(32))

    def _keep(self, set_up: LenderSetUp, slots: Sequence[SlotSecrets]) -> None:
        self._store.keep(text_of(set_up), [slot.to_bytes() for slot in slots])
        self._kept, self._wiped = set_up, 0

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

    def _record(self, kind: str, purpose: str, text: bytes, **known: object) -> None:
        about: dict[str, object] = {
            "content": self._suite.digest(text).hex(),
            "size": len(text),
            "agreement": self._terms.agreement.hex(),
        }
        record: Record = Record(kind=kind, purpose=purpose, **(about | known))  # type: ignore[arg-type]
        self._journal.append(record)
