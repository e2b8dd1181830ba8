"""A batch of tokens about borrowing as a run: one sum of counts, and an end that all hear.

    asked   counts of each token, masked ─► the total, which the coordinator gives to the asker
    close   nothing: every lender is shown that all were told the same lenders of the sum

Invariants:
- The terms hold the batch, so its digest is in every round's name: masks cancel only where all were
  asked the same. A lender answers a batch once.
- Lenders are told nothing of the total: they would learn who is asked about, and how much of it.
- The batch is over only when all that are in the total have heard its end; a lender answers no
  other before (docs/protocols/borrowing.md).
"""

from __future__ import annotations

import hashlib
import json
from base64 import b64decode, b64encode
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import get_args

import numpy as np
from numpy.typing import NDArray

from shared.borrowing.asked import MOST
from shared.borrowing.batch import LEAST_LENDERS, NUMBERS, Batch, read_batch
from shared.errors import InternalError, OperatorError, PeerError
from shared.secure_sum.encoding import text_of
from shared.training.agreement import FLOOR, Agreement, Profile, Sums, agreement_from
from shared.training.consortium import Consortium
from shared.training.question import Question

ASKED, CLOSE = "asked", "close"
_KEY = "asked"
Ints = NDArray[np.int64]


@dataclass(frozen=True)
class AskedTerms:
    """What lenders are asked to take part in. `anew`: the coordinator's, not to insist on the
    lenders of earlier batches; each lender insists on them all the same.
    """

    name: str
    profile: Profile
    minimum_lenders: int
    batch: Batch
    anew: bool = False

    def __post_init__(self) -> None:
        lowest = max(LEAST_LENDERS, FLOOR[self.profile])
        if type(self.minimum_lenders) is not int or self.minimum_lenders < lowest:
            raise OperatorError(
                f"a batch over {self.minimum_lenders} lenders; {lowest} are the fewest",
                remedy="with fewer an answer names a lender",
            )

    @property
    def sums(self) -> Sums:
        """Never plain."""
        return "secure"

    @property
    def minimum_cell(self) -> int:
        """Counts of a person are small; who may ask for them says [asked] in client.toml."""
        return 1

    @property
    def rounds(self) -> int:
        """One sum."""
        return 1

    def to_dict(self) -> dict[str, object]:
        """JSON-ready form; `terms_from` is its inverse."""
        return {
            _KEY: b64encode(text_of(self.batch)).decode(),
            "name": self.name,
            "profile": self.profile,
            "minimum_lenders": self.minimum_lenders,
            "anew": self.anew,
        }

    def digest(self) -> str:
        """SHA-256, hex, of the canonical JSON form."""
        return self._digest

    @cached_property
    def _digest(self) -> str:
        text = json.dumps(self.to_dict(), sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(b"lianfang/asked/terms/v1|" + text.encode()).hexdigest()


def terms_from(document: Mapping[str, object]) -> Agreement | AskedTerms:
    """An agreement or a batch's terms; OperatorError or PeerError for anything else."""
    if _KEY not in document:
        return agreement_from(document)
    fields = dict(document)
    batch, name, profile = (fields.pop(key, None) for key in (_KEY, "name", "profile"))
    anew, least = fields.pop("anew", None), fields.pop("minimum_lenders", None)
    typed = isinstance(batch, str) and isinstance(name, str) and type(anew) is bool
    if fields or not typed or profile not in get_args(Profile) or type(least) is not int:
        raise PeerError("these are no terms of a batch")
    try:
        text = b64decode(str(batch), validate=True)
    except ValueError as error:
        raise PeerError("terms that hold no batch") from error
    return AskedTerms(str(name), profile, least, read_batch(text), bool(anew))  # type: ignore[arg-type]


def asked_terms(consortium: Consortium, batch: Batch, name: str, *, anew: bool) -> AskedTerms:
    """The terms of a batch in a consortium; OperatorError when it is another consortium's."""
    if batch.context != consortium.name:
        raise OperatorError(
            "the batch is of another consortium, by its name",
            remedy="compare [exchange] context in the asker's exchange.toml with consortium.toml",
        )
    least = max(LEAST_LENDERS, consortium.terms.minimum_lenders)
    return AskedTerms(name, consortium.profile, least, batch, anew)


def asked_differences(consortium: Consortium, terms: AskedTerms) -> list[str]:
    """What in a batch's terms does not fit this consortium, a sentence each; empty if all does."""
    found = []
    if terms.batch.context != consortium.name:
        found.append("its batch is of another consortium")
    if terms.profile != consortium.profile:
        found.append(f"its profile is {terms.profile}, the consortium's {consortium.profile}")
    least = max(LEAST_LENDERS, consortium.terms.minimum_lenders)
    if terms.minimum_lenders < least:
        found.append(f"its minimum_lenders {terms.minimum_lenders} is below {least}")
    return found


class AskedRun:
    """`total`: of all lenders' counts, where it was told, at the coordinator."""

    largest: int | None = None
    steps: int | None = 2
    all_hear = True

    def __init__(self, terms: AskedTerms) -> None:
        self.agreement = terms
        self.absorbed = 0
        self.total: Ints | None = None
        self._digest = hashlib.sha256(f"lianfang|asked|v1|{terms.digest()}".encode()).digest()

    @property
    def digest(self) -> str:
        """SHA-256 chain, hex, over the terms and the stages that are over; not over the total."""
        return self._digest.hex()

    @property
    def finished(self) -> bool:
        """Whether all have heard the end."""
        return self.absorbed == 2

    def question(self) -> Question:
        """The counts, then the end."""
        if self.absorbed == 0:
            purpose = f"counts of {len(self.agreement.batch.tokens)} tokens that a lender asks of"
            return Question(ASKED, "counts", NUMBERS, 0, float(MOST), purpose)
        if self.absorbed == 1:
            return Question(CLOSE, "counts", 0, 0, 1.0, "nothing: the batch is over")
        raise InternalError("the batch is over; there is no further question")

    def absorb(self, total: Ints) -> None:
        """Take the total, or nothing in its place."""
        question = self.question()
        if len(total):
            self.total = question.check(total).copy()
        self.absorbed += 1
        self._digest = hashlib.sha256(self._digest + question.stage.encode()).digest()

    def told(self, total: Ints) -> Ints:
        """Nothing of it."""
        return np.empty(0, dtype=np.int64)
