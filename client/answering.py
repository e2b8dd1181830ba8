"""How a lender answers a coordinator, whatever is added up: its own copy of the run, its outbox.

Invariants:
- A question is answered only when agreement, digest of all that was released and stage are what
  this lender's own copy says; otherwise nothing is computed.
- Under an agreement of secure sums numbers leave under masks only, for a round this lender has
  checked. Whatever tells of rows is in the outbox before it leaves.
- What the lender is told is enough to catch up after any absence.
"""

from __future__ import annotations

import logging
from abc import ABC, abstractmethod
from collections.abc import Sequence
from pathlib import Path
from typing import Generic, TypeVar

import numpy as np
from numpy.typing import NDArray

from client.files import keep_private
from client.outbox import Outbox
from client.sealed import Sealed
from shared.errors import OperatorError, PeerError
from shared.secure_sum.floors import RefusedError
from shared.secure_sum.lender_side import UnprovenError
from shared.secure_sum.statements import Payload, SetUpOpen
from shared.training.fold import Fold
from shared.training.question import Question as StageQuestion
from shared.wire.messages import Ask, Behind, Question, Reply, Sum

_log = logging.getLogger("lianfang.client")
F = TypeVar("F", bound=Fold)


class Answering(ABC, Generic[F]):
    """`terms`: digest of the agreement; `run`: this lender's copy; `sealed`: None: plain sums."""

    def __init__(
        self, member: str, terms: str, run: F, outbox: Outbox, sealed: Sealed | None
    ) -> None:
        self._member, self._terms, self._run = member, terms, run
        self._outbox, self._sealed = outbox, sealed
        self._worked: tuple[str, NDArray[np.int64]] = ("", np.empty(0, dtype=np.int64))

    @abstractmethod
    def _answer(self) -> NDArray[np.int64]:
        """This lender's numbers for the question at hand."""

    @abstractmethod
    def _start_over(self) -> None:
        """Forget what was absorbed."""

    def _check_willing(self) -> None:
        """RefusedError where this lender takes no part, before it gives keys or numbers."""
        return

    def _plain(self, question: StageQuestion) -> Sum:
        """The numbers as they are."""
        raise PeerError(f"stage {question.stage}: plain numbers leave no lender")

    def close(self) -> None:
        """Let the outbox's file go."""
        self._outbox.close()

    @property
    def member(self) -> str:
        """This lender's code in the consortium."""
        return self._member

    def reply(self, question: Question) -> Reply:
        """The answer to whatever a coordinator may ask; one question at a time.

        Raises PeerError when it is not one, and OperatorError when the outbox does not take the
        record of the answer: then nothing may leave.
        """
        with self._outbox.locked() as others_wrote:
            if self._sealed is not None and others_wrote:
                self._sealed.forget()
            if self._sealed is None:
                if not isinstance(question, Ask):
                    raise PeerError("a secure sum where the agreement asks for plain ones")
                return self._caught_up(question) or self._due(question)
            if isinstance(question, SetUpOpen):
                try:
                    self._check_willing()
                except RefusedError as error:
                    return self._sealed.unwilling(error, question)
            if not isinstance(question, Ask):
                return self._sealed.reply(question)
            self._sealed.check_ask(question)  # what nobody signed leaves no refusal: see there
            try:
                return self._caught_up(question) or self._due(question)
            except RefusedError as error:
                return self._sealed.refused_ask(error, question)

    def _caught_up(self, ask: Ask) -> Behind | None:
        """Take the released totals; or say how far behind this copy is.

        Where they do not lead to the digest stated, this copy may be the one that is wrong: it
        starts over and asks for all of them. RefusedError when all of them do not do either.
        """
        if ask.run != self._terms:
            raise RefusedError("agreement")
        held = self._run.absorbed
        if held < ask.first or held > ask.first + len(ask.released):
            if held > ask.first:
                self._start_over()
            return Behind(self.member, self._run.absorbed)
        if not self._led_to(ask.digest, ask.released[held - ask.first :]):
            self._start_over()
            if held > 0:
                return Behind(self.member, 0)
            raise RefusedError("totals")
        return None

    def _led_to(self, digest: str, totals: Sequence[NDArray[np.int64]]) -> bool:
        """Whether these totals lead this copy of the run to the state of this digest."""
        try:
            for total in totals:
                if self._run.finished:
                    return False
                self._run.absorb(total)
        except PeerError as error:
            _log.warning("%s: a released total cannot be used: %s", self.member, error.what)
            return False
        return self._run.digest == digest

    def _due(self, ask: Ask) -> Reply:
        """The answer to the stage asked, if that is the one that is due."""
        if self._run.finished:
            raise RefusedError("stage", expected="none: the run is over", came=ask.stage[:40])
        question = self._run.question()
        if question.stage != ask.stage:
            raise RefusedError("stage", expected=question.stage, came=ask.stage[:40])
        if self._sealed is None:
            return self._plain(question)
        try:
            return self._secure(self._sealed, ask, question)
        except UnprovenError as error:
            self._sealed.unproven(ask)
            return Behind(self.member, self._run.absorbed, error.name)

    def _secure(self, sealed: Sealed, ask: Ask, question: StageQuestion) -> Reply:
        if not question.length:  # nothing leaves, so there is nothing to mask
            sealed.check_agreed(ask.agreed)
            vector = question.check(self._answer())
            sealed.retire()
            return Sum(self.member, question.stage, vector)
        if ask.opened is None:
            raise RefusedError("bare")
        self._check_willing()
        return sealed.masked(
            ask.opened,
            self._payload(question),
            lambda: self._numbers(question),
            purpose=question.purpose,
            agreed=ask.agreed,
        )

    def _payload(self, question: StageQuestion) -> Payload:
        """What the round must say it is for: all of it from this lender's own copy of the run."""
        return Payload(
            bytes.fromhex(self._run.digest),
            question.stage,
            question.kind,
            question.length,
            question.fraction_bits,
            question.clip,
            self._run.agreement.minimum_cell,
        )

    def _numbers(self, question: StageQuestion) -> NDArray[np.int64]:
        """The answer, worked out once however often it is asked for."""
        if self._worked[0] != self._run.digest:
            self._worked = (self._run.digest, question.check(self._answer()))
        return self._worked[1]


def keep_to_itself(own: Path) -> None:
    """Only its owner gets into the lender's own folder; OperatorError."""
    try:
        keep_private(own)
    except OSError as error:
        raise OperatorError(
            f"{own} cannot be kept from other users: {error.strerror or type(error).__name__}",
            remedy="make it a folder of the user the node runs as, then chmod 700",
        ) from error
