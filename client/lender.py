"""A lender at work: its own copy of the run, its own rows, and the answer to each question.

Invariants:
- How it answers, and what it checks before: `answering.py`.
- Rows are read once, checked against the schema before the first answer, and never leave.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import UTC, datetime
from hashlib import sha256

import numpy as np
from numpy.typing import NDArray

from client.answering import Answering, keep_to_itself
from client.outbox import Outbox
from client.personal import PersonalModel, Trial, fit_personal, try_personal
from client.result import write_result
from client.rows_asked import name_of_rows
from client.sealed import Sealed
from client.settings import ClientSettings
from client.table import read_table
from shared.errors import InternalError
from shared.secure_sum.history import Record
from shared.training.mixture import mixture_answer
from shared.training.question import Question as StageQuestion
from shared.training.roles import roles_of
from shared.training.rows import LenderRows
from shared.training.run import Run
from shared.wire.messages import Sum

_log = logging.getLogger("lianfang.client")


def _now() -> datetime:
    return datetime.now(UTC)


class Lender(Answering[Run]):
    """Lives as long as its process; everything in it can be rebuilt from the lender's folder and
    the released totals. Raises OperatorError when the table does not fit the schema, or outbox or
    vault cannot be used. `clock` judges certificates and dates the outbox.
    """

    def __init__(self, settings: ClientSettings, *, clock: Callable[[], datetime] = _now) -> None:
        self._settings = settings
        checked = read_table(settings.table, settings.agreement.schema)
        table, self._warnings = checked.table, tuple(str(w) for w in checked.warnings)
        for warning in self._warnings:
            _log.info("%s: %s", settings.member, warning)
        for weakness in settings.weaknesses:
            _log.warning("%s: %s", settings.member, weakness)
        self._rows = LenderRows(table, roles_of(table, settings.agreement), settings.secret)
        self._trial: Trial | None = None
        self._tried = False
        self._personal: PersonalModel | None = None
        keep_to_itself(settings.own)
        outbox, secure = Outbox(settings.outbox, clock), settings.agreement.sums == "secure"
        sealed = Sealed(settings, outbox, clock, rows=name_of_rows(table)) if secure else None
        terms = settings.agreement.digest()  # hashing the schema for each question is slow
        super().__init__(settings.member, terms, Run(settings.agreement), outbox, sealed)

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
