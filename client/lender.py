"""A lender at work: its own copy of the run, its own rows, and the answer to each question.

Invariants:
- A question is answered only when agreement, digest of all released totals and stage are what this
  lender's own copy says; otherwise nothing is computed.
- Rows are read once, checked against the schema before the first answer, and never leave.
- What the lender is told (released totals) is enough to catch up after any absence.
"""

from __future__ import annotations

import logging

import numpy as np
from numpy.typing import NDArray

from client.personal import PersonalModel, Trial, fit_personal, try_personal
from client.result import write_result
from client.settings import ClientSettings
from client.table import read_table
from shared.errors import InternalError, OperatorError, PeerError
from shared.training.evaluation import evaluation_answer
from shared.training.mixture import mixture_answer
from shared.training.roles import roles_of
from shared.training.rows import LenderRows
from shared.training.run import Run
from shared.wire.messages import Ask, Behind, Reply, Sum

_log = logging.getLogger("lianfang.client")


class Lender:
    """Lives as long as its process; everything in it can be rebuilt from the lender's folder and
    the released totals. Raises OperatorError when the table does not fit the schema.
    """

    def __init__(self, settings: ClientSettings) -> None:
        self._settings = settings
        self._terms = settings.agreement.digest()  # hashing the schema for each question is slow
        if settings.agreement.profile == "production":
            raise OperatorError(
                "the production profile refuses plain sums, and this version has no other",
                remedy="take part in demo consortia only, with data you may show the coordinator",
            )
        checked = read_table(settings.table, settings.agreement.schema)
        table, self._warnings = checked.table, tuple(str(w) for w in checked.warnings)
        for warning in self._warnings:
            _log.info("%s: %s", settings.member, warning)
        self._rows = LenderRows(table, roles_of(table, settings.agreement), settings.secret)
        self._run = Run(settings.agreement)
        self._trial: Trial | None = None
        self._tried = False
        self._personal: PersonalModel | None = None

    @property
    def member(self) -> str:
        """This lender's code in the consortium."""
        return self._settings.member

    def reply(self, ask: Ask) -> Reply:
        """Catch up with the released totals, then answer; or say how far behind this copy is."""
        member = self._settings.member
        if ask.run != self._terms:
            raise PeerError("the question belongs to an agreement this lender does not hold")
        held = self._run.absorbed
        if held < ask.first or held > ask.first + len(ask.released):
            if held > ask.first:
                self._start_over()
            return Behind(member, self._run.absorbed)
        for total in ask.released[held - ask.first :]:
            if self._run.finished:
                raise PeerError("more totals than the run has stages")
            self._absorb(total)
        if self._run.digest != ask.digest:
            self._start_over()
            raise PeerError("the released totals are not those this lender has seen")
        if self._run.finished:
            raise PeerError("the run is over; nothing is due")
        question = self._run.question()
        if question.stage != ask.stage:
            raise PeerError(f"stage {ask.stage[:40]!r} is asked where {question.stage!r} is due")
        return Sum(member, ask.stage, question.check(self._answer()))

    def _absorb(self, total: NDArray[np.int64]) -> None:
        """Take a total; one that cannot be used leaves nothing half taken behind."""
        try:
            self._run.absorb(total)
        except PeerError:
            self._start_over()
            raise

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
        bad = self._rows.bad[roles.test]
        return evaluation_answer(shared[roles.test], personal, bad, shared[roles.training])

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
