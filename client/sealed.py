"""A lender's part in secure sums: `LenderSide` with this lender's own identity, floors, vault and
outbox.

Invariants:
- Every message about a secure sum is answered under the outbox's lock, so two processes of one
  lender cannot both answer for a slot.
- What the lender will not do leaves as a signed refusal, and is in its outbox. The log tells each
  reason once, until the lender starts anew; the outbox has every line.
- Without a signature leave: one word about a question that no coordinator of the consortium signed
  (or anybody could fill the outbox), or about this lender's own trouble, such as a full disk.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Mapping
from datetime import datetime
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from client.outbox import Outbox
from client.vault import Vault
from shared.errors import InternalError, LianfangError, OperatorError, PeerError
from shared.identity.certificate import Identity
from shared.secure_sum.encoding import read_text
from shared.secure_sum.fixed_point import to_ring
from shared.secure_sum.floors import Floors, RefusedError
from shared.secure_sum.lender_secrets import LenderSetUp
from shared.secure_sum.lender_side import Asked, LenderSide, Terms
from shared.secure_sum.statements import (
    Answer,
    Delivery,
    MaskedInput,
    MemberKeys,
    Payload,
    Ready,
    Roll,
    RoundOpen,
    SealedShares,
    SetUpOpen,
    Survivors,
    check_signature,
)
from shared.secure_sum.suite import STANDARD, Randomness
from shared.secure_sum.trust import Trust
from shared.wire.messages import Ask, Refused, ask_transcript

_log = logging.getLogger("lianfang.client")

Statement = SetUpOpen | Roll | Delivery | Survivors
Proof = tuple[tuple[str, bytes], ...]
"""Codes and signatures of answers to the round before."""


class _Terms(Protocol):
    def digest(self) -> str:
        """SHA-256, hex."""
        ...


class SealedSettings(Protocol):
    """What secure sums need of a lender's settings: `ClientSettings`, `AskedSettings`."""

    @property
    def member(self) -> str:
        """Its code."""
        ...

    @property
    def agreement(self) -> _Terms:
        """What is summed under."""
        ...

    @property
    def floors(self) -> Floors:
        """Its limits."""
        ...

    @property
    def identity(self) -> Identity | None:
        """Who it is."""
        ...

    @property
    def authority(self) -> bytes | None:
        """Whom it believes (DER)."""
        ...

    @property
    def members(self) -> Mapping[str, bytes] | None:
        """Its list of members' keys."""
        ...

    @property
    def outbox(self) -> Path:
        """The journal's file."""
        ...

    @property
    def vault(self) -> Path:
        """The folder of key sets."""
        ...


_LONGEST_STAGE = 40
_MOST_UNPROVEN = 3
"""How often the same proof is asked for: an honest coordinator shows it the first time."""


class Sealed:
    """Raises OperatorError when the vault cannot be used. `randomness` is a test's to replace;
    `rows` names the rows that are answered from (`client/rows_asked.py`).
    """

    def __init__(
        self,
        settings: SealedSettings,
        outbox: Outbox,
        clock: Callable[[], datetime],
        randomness: Randomness = os.urandom,
        *,
        rows: str = "",
    ) -> None:
        if settings.identity is None or settings.authority is None:
            raise InternalError("secure sums without an identity: the settings should refuse that")
        self._member = settings.member
        self._trust = trust = Trust(settings.authority, clock, settings.members)
        self._certificate, self._coordinator = b"", b""
        self._outbox = outbox
        self._told: set[str] = set()
        self._unproven: tuple[bytes, int] = (b"", 0)
        agreement = bytes.fromhex(settings.agreement.digest())
        terms = Terms(STANDARD, settings.identity, trust, settings.floors, agreement, rows)
        with outbox.locked():  # alone in the vault, too
            vault = Vault(settings.vault)
            _drop_unrecorded(settings, vault, outbox)
            self._side = LenderSide(terms, vault, outbox, randomness)
            self._side.settle()

    def forget(self) -> None:
        """Another process of this lender has been at work: read what is kept anew."""
        self._side.forget()

    def reply(self, asked: Statement) -> MemberKeys | SealedShares | Ready | Answer | Refused:
        """The answer to a statement of a set-up, or to the survivors of a round."""
        try:
            match asked:
                case SetUpOpen():
                    return self._side.keys(asked)
                case Roll():
                    return self._side.shares(asked)
                case Delivery():
                    return self._side.ready(asked)
                case Survivors():
                    return self._side.answer(asked)
        except RefusedError as error:
            return self._refused(error, asked)
        except OperatorError:  # the disk: the vault may be ahead of what is in memory
            self._side.forget()
            raise

    def masked(
        self,
        opened: RoundOpen,
        due: Payload,
        work: Callable[[], NDArray[np.int64]],
        *,
        purpose: str,
        agreed: Proof,
    ) -> MaskedInput | Refused:
        """What `work` gives, int64 (length,), under the masks of a round. It is called only when
        the round is one this lender takes part in. UnprovenError as `LenderSide.mask`.
        """
        try:
            self._side.check_due(opened, due, agreed)
            numbers = self._fitting(opened, work)
            return self._side.mask(opened, due, numbers, purpose=purpose, agreed=agreed)
        except RefusedError as error:
            return self._refused(error, opened)

    def _fitting(
        self, opened: RoundOpen, work: Callable[[], NDArray[np.int64]]
    ) -> NDArray[np.int64]:
        try:
            numbers = work()
            to_ring(numbers, opened.bits)
        except LianfangError:  # that, too, tells something about them
            self._side.failed(opened)
            raise
        return numbers

    def check_ask(self, ask: Ask) -> None:
        """PeerError unless the coordinator signed the question: before anything else is done."""
        if ask.coordinator != self._certificate:
            self._coordinator = self._trust.member(ask.coordinator, "coordinator").public
            self._certificate = ask.coordinator
        try:
            STANDARD.verify(self._coordinator, ask.signature, ask_transcript(ask))
        except PeerError as error:
            raise PeerError("a question that the coordinator did not sign") from error

    def retire(self) -> None:
        """The run is over: no secret of it is needed any more."""
        self._side.retire()

    def check_agreed(self, agreed: Proof) -> None:
        """UnprovenError unless the round answered last was answered alike by others."""
        self._side.check_agreed(agreed)

    def unproven(self, ask: Ask) -> None:
        """The proof shown does not do. It is asked for a few times; RefusedError after that."""
        text, (last, times) = ask_transcript(ask), self._unproven
        times = times + 1 if text == last else 1
        self._unproven = (text, times)
        if times > _MOST_UNPROVEN:
            raise RefusedError("agreed")

    def unwilling(self, error: RefusedError, opened: SetUpOpen) -> Refused:
        """The refusal to take part in a set-up; PeerError unless a coordinator signed that."""
        holder = self._trust.member(opened.coordinator, "coordinator")
        check_signature(STANDARD, holder.public, opened)
        return self._refused(error, opened)

    def refused_ask(self, error: RefusedError, ask: Ask) -> Refused:
        """The refusal of a stage's question, as the coordinator signed it."""
        self._tell(error, "question")
        refusal = self._side.refusal(error, ask_transcript(ask), stage=ask.stage[:_LONGEST_STAGE])
        return Refused(self._member, "peer", refusal)

    def _refused(self, error: RefusedError, asked: Asked) -> Refused:
        self._tell(error, type(asked).__name__)
        about = self._about(asked)
        if error.reason == "rows" and isinstance(asked, Survivors):  # what a person may allow
            masked = self._outbox.history.masked[asked.round.hex()]
            about |= {"rows": masked.rows, "lenders": asked.alive}
        refusal = self._side.refusal(error, asked, **about)
        return Refused(self._member, "peer", refusal)

    def _tell(self, error: RefusedError, what: str) -> None:
        level = logging.DEBUG if error.reason in self._told else logging.ERROR
        self._told.add(error.reason)
        _log.log(level, "%s: %s refused: %s", self._member, what, error)

    def _about(self, asked: Asked) -> dict[str, object]:
        """Stage, run, set-up and slot for the outbox, as far as they are known. Not the round: a
        refusal's line with a round says that a stage's numbers could not be given (`History`).
        """
        match asked:
            case RoundOpen(set_up, slot, payload):
                stage = payload.stage[:_LONGEST_STAGE]
                about = {"stage": stage, "payload": payload.kind, "run": payload.run.hex()}
                return about | {"set_up": set_up.hex(), "slot": slot}
            case Survivors(round_):
                masked = self._outbox.history.masked.get(round_.hex())
                names = ("stage", "payload", "run", "set_up", "slot") if masked else ()
                return {name: getattr(masked, name) for name in names}
            case Delivery(set_up):
                return {"set_up": set_up.hex()}
        return {}


def terms_in_vault(folder: Path) -> str:
    """The digest of the terms of the set-up in a lender's vault; PeerError when it holds none."""
    state = Vault(folder / "own" / "vault").state()
    if state is None:
        raise PeerError("a statement about a set-up that there is none of here")
    return read_text(LenderSetUp, state).opened.agreement.hex()


def _drop_unrecorded(settings: SealedSettings, vault: Vault, outbox: Outbox) -> None:
    """A set-up the outbox knows nothing of is not used. With no roll yet its keys never left: a
    crash, which costs nothing. With one, the outbox was removed or an older one put in its place;
    then this side does not know what it has answered, and OperatorError stops it.
    """
    state = vault.state()
    if state is None:
        return
    kept = read_text(LenderSetUp, state)
    if kept.opened.counter <= outbox.history.counter:
        return
    if kept.roll:
        raise OperatorError(
            f"{settings.outbox} is missing, or older than the vault",
            remedy=f"put it back as it was; if it is lost, remove {settings.vault} and take part "
            "in new runs only: what this side has answered so far is no longer known",
        )
    _log.warning("%s: a set-up whose keys never left was removed", settings.vault)
    vault.destroy()
