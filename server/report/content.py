"""What a report holds, parsed once: everything after this module works on frozen dataclasses.

Units: AUC, KS, rates and shares lie in 0..1, a gain is a difference of two AUC (0.01 = one point),
times are seconds, sizes bytes. None means "could not be measured", never zero. A report must say
whether its sums were secure (`insecure`): one that does not is refused.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from server.report.borrowing_figures import BorrowingFigures
from server.report.ring_figures import RingFigures

SCHEMA_VERSION = 1

Points = tuple[tuple[float, float], ...]


@dataclass(frozen=True)
class Measures:
    """One measure (AUC or KS) of the four models on the same test rows of one lender."""

    local: float | None
    shared: float | None
    personal: float | None
    pooled: float | None


@dataclass(frozen=True)
class SwapSet:
    """Own model against the joint one at equal approval: who comes in, who goes out."""

    approval_rate: float | None
    swapped_in: int | None
    swapped_out: int | None
    bad_rate_in: float | None
    bad_rate_out: float | None
    bad_rate_local: float | None
    bad_rate_personal: float | None


@dataclass(frozen=True)
class Lender:
    """One lender's figures on its own test rows; `gain` is joint minus local AUC.

    `auc_local_tuned` is a local model tuned as hard as the researcher could.
    """

    code: str
    rows: int | None
    bad_rate: float | None
    test_rows: int | None
    auc: Measures
    ks: Measures
    gain: float | None
    gain_low: float | None
    gain_high: float | None
    swap_set: SwapSet | None
    auc_local_tuned: float | None = None
    gain_over_tuned: float | None = None

    @property
    def auc_joint(self) -> float | None:
        """With the consortium: shared + personal, or shared where there is no personal model."""
        return self.auc.shared if self.auc.personal is None else self.auc.personal


@dataclass(frozen=True)
class Data:
    """The rows the run was made on."""

    rows: int | None
    lenders: int | None
    features: int | None
    bad_rate: float | None
    train_rows: int | None
    test_rows: int | None
    prevalence: float | None
    """True share of bad, where rows were sampled by outcome."""
    source: str


@dataclass(frozen=True)
class Pooled:
    """Figures over all lenders' test rows together; `federated_*` came out of secure sums."""

    auc_shared: float | None
    ks_shared: float | None
    auc_personal: float | None
    auc_local: float | None
    auc_lightgbm: float | None
    auc_lightgbm_knows_lender: float | None
    auc_fedavg_mlp: float | None
    federated_auc: float | None
    federated_half_width: float | None
    federated_ks: float | None
    federated_ks_bound: float | None


@dataclass(frozen=True)
class Calibration:
    """One group of test rows: mean predicted and observed share of bad."""

    predicted: float
    observed: float
    rows: int | None


@dataclass(frozen=True)
class Cutoff:
    """Approving from a score on: shares of all who are approved, bad among them, bad declined."""

    score: float
    approved: float
    bad_rate: float
    bad_declined: float


@dataclass(frozen=True)
class Curves:
    """Curves over all test rows; a model that was not run has no entry."""

    learning: Points
    roc: Mapping[str, Points]
    ks_good: Points
    ks_bad: Points
    ks: float | None
    ks_at: float | None
    gain: Mapping[str, Points]
    calibration: tuple[Calibration, ...]
    cutoffs: tuple[Cutoff, ...] = ()


@dataclass(frozen=True)
class Bin:
    """One bin of a feature; `woe` is its weight of evidence."""

    label: str
    good: int | None
    bad: int | None
    woe: float | None


@dataclass(frozen=True)
class Feature:
    """A feature's bins in order, with its information value."""

    name: str
    unit: str
    iv: float | None
    bins: tuple[Bin, ...]


@dataclass(frozen=True)
class Psi:
    """Population stability of each lender against all lenders: rows are the score and features."""

    lenders: tuple[str, ...]
    rows: tuple[tuple[str, tuple[float | None, ...]], ...]


@dataclass(frozen=True)
class OutOfTime:
    """Trained before the cutoff, tested on what came after it."""

    cutoff: str
    train_rows: int | None
    test_rows: int | None
    auc_shared: float | None
    auc_personal: float | None
    auc_lightgbm: float | None


@dataclass(frozen=True)
class Stage:
    """Messages and bytes of one stage of the protocol."""

    name: str
    messages: int | None
    bytes: int | None


@dataclass(frozen=True)
class SweepLender:
    """One lender's mean over seeds, with the standard deviation of its gain."""

    code: str
    auc_local: float | None
    auc_shared: float | None
    auc_personal: float | None
    gain: float | None
    gain_sd: float | None
    gain_over_tuned: float | None = None


@dataclass(frozen=True)
class Sweep:
    """The same run over several seeds: (name, mean, standard deviation) of pooled figures."""

    seeds: tuple[str, ...]
    pooled: tuple[tuple[str, float | None, float | None], ...]
    lenders: tuple[SweepLender, ...]


@dataclass(frozen=True)
class ListedLender:
    """One lender's part in the fraud list. `others`: hits that only other lenders' filings give;
    `innocent`: hits on applicants who are not the fraud.
    """

    code: str
    filed: int | None
    screened: int | None
    hits: int | None
    others: int | None
    strong: int | None
    single: int | None
    weak: int | None
    innocent: int | None


@dataclass(frozen=True)
class FraudList:
    """The fraud list on synthetic identities; sums over lenders, `classes` (name, hits).

    `differences`: answers that are not those of a plain comparison; `evaluations`: points that key
    holders multiplied; `cpu`: seconds of processor time.
    """

    lenders: tuple[ListedLender, ...]
    classes: tuple[tuple[str, int | None], ...]
    filed: int | None
    active: int | None
    disputed: int | None
    withdrawn: int | None
    screened: int | None
    hits: int | None
    others: int | None
    innocent: int | None
    innocent_weak: int | None
    differences: int | None
    holders: int | None
    threshold: int | None
    evaluations: int | None
    bytes: int | None
    cpu: float | None


@dataclass(frozen=True)
class Report:
    """Everything the page shows."""

    title: str
    family: str
    seed: int | None
    insecure: bool
    profile: str
    versions: tuple[tuple[str, str], ...]
    config_digest: str
    data: Data
    rounds: int | None
    lenders: tuple[Lender, ...]
    pooled: Pooled
    curves: Curves
    woe: tuple[Feature, ...]
    psi: Psi
    out_of_time: OutOfTime | None
    stages: tuple[Stage, ...]
    messages_per_lender: int | None
    bytes_per_lender: int | None
    seconds: tuple[tuple[str, float | None], ...]
    seconds_total: float | None
    model_digest: str
    model_parameters: int | None
    warnings: tuple[str, ...]
    sweep: Sweep | None
    fraud_list: FraudList | None = None
    rings: RingFigures | None = None
    borrowing: BorrowingFigures | None = None
