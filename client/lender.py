"""A lender at work: its own copy of the run, its own rows, and the answer to each question.

Invariants:
- A question is answered only when agreement, digest of all released totals and stage are what this
  lender's own copy says; otherwise nothing is computed.
- Under an agreement of secure sums numbers leave under masks only, for a round this lender has
  checked. Whatever tells of rows is in the outbox before it leaves.
- Rows are read once, checked against the schema before the first answer, and never leave.
- What the lender is told (released totals) is enough to catch up after any absence.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from client.files import keep_private
from client.outbox import Outbox
from client.personal import PersonalModel, Trial, fit_personal, try_personal
from client.result import write_result
from client.rows_asked import name_of_rows
from client.sealed import Sealed
from client.settings import ClientSettings
from client.table import read_table
from shared.errors import InternalError, OperatorError, PeerError
from shared.secure_sum.floors import RefusedError
from shared.secure_sum.history import Record
from shared.secure_sum.lender_side import UnprovenError
from shared.secure_sum.statements import Payload
from shared.training.mixture import mixture_answer
from shared.training.question import Question as StageQuestion
from shared.training.roles import roles_of
from shared.training.rows import LenderRows
from shared.training.run import Run
from shared.wire.messages import Ask, Behind, Question, Reply, Sum

_log = logging.getLogger("lianfang.client")


def _now() -> datetime:
    return datetime.now(UTC)


class Lender:
    """Lives as long as its process; everything in it can be rebuilt from the lender's folder and
    the released totals. Raises OperatorError when the table does not fit the schema, or outbox or
    vault cannot be used. `clock` judges certificates and dates the outbox.
    """

    def __init__(self, settings: ClientSettings, *, clock: Callable[[], datetime] = _now) -> None:
        self._settings = settings
        self._terms = settings.agreement.digest()  # hashing the schema for each question is slow
        checked = read_table(settings.table, settings.agreement.schema)
        table, self._warnings = checked.table, tuple(str(w) for w in checked.warnings)
        for warning in self._warnings:
            _log.info("%s: %s", settings.member, warning)
        for weakness in settings.weaknesses:
            _log.warning("%s: %s", settings.member, weakness)
        self._rows = LenderRows(table, roles_of(table, settings.agreement), settings.secret)
        self._run = Run(settings.agreement)
        self._trial: Trial | None = None
        self._tried = False
        self._personal: PersonalModel | None = None
        self._worked: tuple[str, NDArray[np.int64]] = ("", np.empty(0, dtype=np.int64))
        _keep_to_itself(settings.own)
        self._outbox = Outbox(settings.outbox, clock)
        secure = settings.agreement.sums == "secure"
        self._sealed = (
            Sealed(settings, self._outbox, clock, rows=name_of_rows(table)) if secure else None
        )

    def close(self) -> None:
        """Let the outbox's file go."""
        self._outbox.close()

    @property
    def member(self) -> str:
        """This lender's code in the consortium."""
        return self._settings.member

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

    def _plain(self, question: StageQuestion) -> Sum:
        """This lender's numbers as they are; the coordinator can read them."""
        vector = question.check(self._answer())
        content = vector.astype("<i4").tobytes()  # as it travels
        record = Record(
            kind="sum",
            purpose=question.purpose,
            content=sha256(content).hexdigest(),
            size=len(content),
            agreement=self._terms,
            stage=question.stage,
            payload=question.kind,
            run=self._run.digest,
        )
        if question.length:
            self._outbox.append(record)
        return Sum(self.member, question.stage, vector)

    def _secure(self, sealed: Sealed, ask: Ask, question: StageQuestion) -> Reply:
        if not question.length:  # nothing leaves, so there is nothing to mask
            sealed.check_agreed(ask.agreed)
            vector = question.check(self._answer())
            sealed.retire()
            return Sum(self.member, question.stage, vector)
        if ask.opened is None:
            raise RefusedError("bare")
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
            self._settings.agreement.minimum_cell,
        )

    def _numbers(self, question: StageQuestion) -> NDArray[np.int64]:
        """The answer, worked out once however often it is asked for."""
        if self._worked[0] != self._run.digest:
            self._worked = (self._run.digest, question.check(self._answer()))
        return self._worked[1]

    def _answer(self) -> NDArray[np.int64]:
        if self._run.evaluation is not None:
            model = self._personal_model()
            write_result(self._settings, self._run, self._rows, model, self._warnings)
            return np.empty(0, dtype=np.int64)
        if self._run.mixture is not None:
            return self._evaluate()
        if self._run.trained:
            return self._mixture_losses()
        return self._run.answer(self._rows)

    def _mixture_losses(self) -> NDArray[np.int64]:
        question, trial = self._run.question(), self._personal_trial()
        census = self._run.preparation.census
        if trial is None or census is None:
            return np.zeros(question.length, dtype=np.int64)
        return mixture_answer(trial.table(), census)

    def _evaluate(self) -> NDArray[np.int64]:
        shared, roles = self._run.logit(self._rows), self._rows.roles
        model = self._personal_model()
        codes = model.shared.transform.codes(self._rows.table.take(roles.test))
        personal = model.layer.logit(shared[roles.test], codes)
        return self._run.evaluate(self._rows, personal)

    def _personal_trial(self) -> Trial | None:
        if not self._tried:
            transform = self._run.model().transform
            self._trial = try_personal(self._rows, transform, self._run.logit(self._rows))
            self._tried = True
        return self._trial

    def _personal_model(self) -> PersonalModel:
        if self._personal is None:
            model, mixture = self._run.model(), self._run.mixture
            if mixture is None:
                raise InternalError("a personal model is asked for before its mixture is known")
            shared, trial = self._run.logit(self._rows), self._personal_trial()
            layer = fit_personal(self._rows, model.transform, shared, mixture, trial)
            self._personal = PersonalModel(model, layer)
        return self._personal

    def _start_over(self) -> None:
        self._run = Run(self._settings.agreement)
        self._trial, self._tried, self._personal = None, False, None
        self._rows = LenderRows(self._rows.table, self._rows.roles, self._settings.secret)


def _keep_to_itself(own: Path) -> None:
    try:
        keep_private(own)
    except OSError as error:
        raise OperatorError(
            f"{own} cannot be kept from other users: {error.strerror or type(error).__name__}",
            remedy="make it a folder of the user the node runs as, then chmod 700",
        ) from error
