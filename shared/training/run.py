"""A whole run as one fold: preparation, the family's rounds, mixture, evaluation.

    question ─► every lender's whole numbers ─► their sum ─► absorb ─► next question …

Invariants:
- A copy of `Run` is a pure function of the agreement and the totals it absorbed, in order.
  Coordinator and lenders each hold one; `digest` tells whether two have seen the same.
- So a run needs nothing but its released totals to be resumed, audited or caught up with.
"""

from __future__ import annotations

import hashlib

import numpy as np
from numpy.typing import NDArray

from shared.errors import InternalError
from shared.model.shared_model import SharedModel
from shared.training.agreement import Agreement
from shared.training.blended import BlendFamily
from shared.training.boosted import BoostedFamily
from shared.training.census import Census
from shared.training.evaluation import (
    Evaluation,
    evaluation_answer,
    evaluation_from,
    evaluation_question,
)
from shared.training.family import Family
from shared.training.mixture import Mixture, mixture_from, mixture_question
from shared.training.networked import NetworkFamily
from shared.training.preparation import Preparation
from shared.training.question import Question
from shared.training.rows import LenderRows


class Run:
    """One copy at the coordinator and at every lender."""

    def __init__(self, agreement: Agreement) -> None:
        self.agreement = agreement
        self.preparation = Preparation(agreement.schema, agreement.minimum_cell)
        self.family: Family | None = None
        self.mixture: Mixture | None = None
        self.evaluation: Evaluation | None = None
        self.absorbed = 0
        self._closed = False
        self._digest = hashlib.sha256(f"lianfang|run|v1|{agreement.digest()}".encode()).digest()

    @property
    def digest(self) -> str:
        """SHA-256 chain, hex, over the agreement, every absorbed total and the trees drawn."""
        return self._digest.hex()

    @property
    def finished(self) -> bool:
        """True when the last total has been handed to the lenders."""
        return self._closed

    @property
    def trained(self) -> bool:
        """True when the shared model is done and only mixture and evaluation are left."""
        return self.family is not None and self.family.finished

    def question(self) -> Question:
        """What is asked next; InternalError when the run is over."""
        if self.finished:
            raise InternalError("the run is over; there is no further question")
        if self.family is None:
            return self.preparation.question()
        if self.evaluation is not None:
            return Question("close", "counts", 0, 0, 1.0, "nothing: hands out the last total")
        if not self.family.finished:
            return self.family.question()
        if self.mixture is None:
            return mixture_question(self._census())
        return evaluation_question(self.family.points)

    @property
    def steps(self) -> int | None:
        """Questions in the whole run; None until the census tells how many rounds it takes."""
        return None if self.family is None else len(Preparation.STAGES) + self.family.steps + 3

    @property
    def largest(self) -> int | None:
        """Bound on the rows of the largest lender; None until the census tells it."""
        census = self.preparation.census
        return None if census is None else census.largest

    @property
    def all_hear(self) -> bool:
        """The last total is handed out to whoever is there."""
        return False

    def told(self, total: NDArray[np.int64]) -> NDArray[np.int64]:
        """All of it: every lender's copy is made from totals."""
        return total

    def answer(self, rows: LenderRows) -> NDArray[np.int64]:
        """A lender's whole numbers in preparation and training."""
        if self.family is None:
            return self.preparation.answer(rows.table, rows.roles)
        return self.family.answer(rows)

    def evaluate(self, rows: LenderRows, personal: NDArray[np.float64]) -> NDArray[np.int64]:
        """A lender's counts for the stage `evaluation`; `personal`: logits of its test rows."""
        if self.family is None or self.mixture is None:
            raise InternalError("an evaluation is asked for before training is over")
        staged = self.family.staged_counts(rows)
        shared = self.family.logit(rows)
        return evaluation_answer(rows, shared, personal, staged, self.agreement.minimum_cell)

    def absorb(self, total: NDArray[np.int64]) -> None:
        """Take the released total of the question at hand; PeerError when it cannot be one."""
        question = self.question()
        vector = question.check(total)
        if self.family is None:
            self.preparation.absorb(vector)
            if self.preparation.finished:
                self.family = self._start()
        elif self.evaluation is not None:
            self._closed = True
        elif self.mixture is not None:
            self.evaluation = evaluation_from(vector, self.family.points)
        elif self.family.finished:
            self.mixture = mixture_from(vector)
        else:
            self.family.absorb(vector)
        self.absorbed += 1
        content = question.stage.encode() + b"|" + vector.astype("<i8").tobytes()
        derived = "" if self.family is None else self.family.fingerprint
        link = self._digest + hashlib.sha256(content).digest() + derived.encode()
        self._digest = hashlib.sha256(link).digest()

    def logit(self, rows: LenderRows) -> NDArray[np.float64]:
        """Shared logit of a lender's rows, (n,), once training has begun."""
        if self.family is None:
            raise InternalError("a logit is asked for before training has begun")
        return self.family.logit(rows)

    def model(self) -> SharedModel:
        """The trained model; InternalError before training is over."""
        transform = self.preparation.transform
        if self.family is None or not self.family.finished or transform is None:
            raise InternalError("the model is asked for before its training is over")
        about: dict[str, object] = {
            "name": self.agreement.name,
            "family": self.agreement.family,
            "seed": self.agreement.seed,
            "agreement": self.agreement.digest(),
        }
        return SharedModel(self.agreement.schema, transform, self.family.parts(), about)

    def _census(self) -> Census:
        if self.preparation.census is None:
            raise InternalError("the census is asked for before it was taken")
        return self.preparation.census

    def _start(self) -> Family:
        transform, census = self.preparation.transform, self._census()
        if transform is None:
            raise InternalError("the preparation is over without a transform")
        terms = self.agreement
        match terms.family:
            case "boosted":
                return BoostedFamily(transform, census, terms.seed, terms.rounds)
            case "network":
                return NetworkFamily(transform, census, terms.seed, terms.rounds)
            case "blend":
                return BlendFamily(transform, census, terms.seed, terms.rounds)
