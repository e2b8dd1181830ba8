"""The personal layer: when it leans on the shared model, when on its own; and its saved form."""

import json
from collections.abc import Callable, Iterator
from dataclasses import replace

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from safetensors.torch import load, save

from client import personal
from client.personal import PersonalLayer, PersonalModel, fit_personal, try_personal
from client.saved_personal import DOCUMENT, TENSORS, personal_files, personal_from
from shared.errors import OperatorError
from shared.model.part import Part
from shared.model.shared_model import SharedModel
from shared.model.transform import NumberBins, Transform
from shared.model.trees import BoostedTrees
from shared.schema import Column, LabelContract, Schema, Table
from shared.training.boosting import BoostingSettings
from shared.training.mixture import RESIDUALS, WEIGHTS, Mixture
from shared.training.roles import Roles
from shared.training.rows import LenderRows

SCHEMA = Schema(
    version=1,
    columns=(Column("income", "number"), Column("age", "number")),
    label=LabelContract("bad", bad=("1",), good=("0",)),
    row_key="row",
)
TRANSFORM = Transform(
    tuple(NumberBins(name, tuple(np.linspace(-2, 2, 31))) for name in ("income", "age"))
)
Floats = NDArray[np.float64]


@pytest.fixture(autouse=True)
def small_trees() -> Iterator[None]:
    """The recipes with a third of the trees and all else as it is."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(personal, "RESIDUAL", BoostingSettings(120, 4, 20, 0.2, 30.0))
        patch.setattr(personal, "LOCAL", BoostingSettings(240, 4, 20, 0.3, 8.0))
        yield


def book(
    rows: int, validation: int, *, strength: float = 2.5, test: int = 0, seed: int = 1
) -> tuple[LenderRows, Floats]:
    """Rows with roles in order (training, validation, test), and the logit they were drawn from."""
    rng = np.random.default_rng(seed)
    values = rng.normal(size=(2, rows))
    truth = strength * values[0] * np.sign(values[1]) - 0.5
    bad = (rng.random(rows) < 1 / (1 + np.exp(-truth))).astype(np.int8)
    names = ("income", "age")
    table = Table(SCHEMA, dict(zip(names, values, strict=True)), bad, np.arange(rows).astype(str))
    ends = np.split(np.arange(rows), [rows - validation - test, rows - test])
    return LenderRows(table, Roles(*ends), secret=5), truth


COMMON = Mixture(0.4, 1.0)


def fitted(rows: LenderRows, shared: Floats, common: Mixture = COMMON) -> PersonalLayer:
    trial = try_personal(rows, TRANSFORM, shared)
    return fit_personal(rows, TRANSFORM, shared, common, trial)


@pytest.mark.parametrize("weight", [0.1, 0.4, 0.8])
def test_a_few_validation_rows_cannot_move_the_weight_far(weight: float) -> None:
    """Ten rows: within 0.2 of the consortium's weight, whatever the shared model is worth."""
    rows, truth = book(400, 10)
    for shared in (truth, np.zeros(400), -truth):
        moved = fitted(rows, shared, Mixture(weight, 1.0)).local_weight - weight
        assert abs(moved) <= 0.2 + 1e-9


@pytest.mark.parametrize("weight", [0.0, 0.4, 1.0])
def test_without_validation_rows_the_weight_is_the_consortiums(weight: float) -> None:
    """Nothing speaks for either."""
    rows, truth = book(200, 0)
    assert fitted(rows, truth, Mixture(weight, 0.5)).local_weight == weight


def test_many_rows_move_the_weight_to_whichever_is_better() -> None:
    """A shared model that misleads: own model; one that knows the truth: shared model."""
    rows, truth = book(2400, 1200)
    assert fitted(rows, -2.0 * truth).local_weight == 1.0
    few, truth = book(1400, 1300)
    assert fitted(few, truth).local_weight <= 0.1


def trained_on(rows: LenderRows, shared: Floats, index: NDArray[np.intp]) -> PersonalLayer:
    codes = TRANSFORM.codes(rows.table)
    return personal._trained(TRANSFORM, codes, rows.bad, shared, index, rows.secret)


def summed_loss(layer: PersonalLayer, rows: LenderRows, shared: Floats) -> float:
    """Of the validation rows, from probabilities."""
    chosen = rows.roles.validation
    codes = np.ascontiguousarray(TRANSFORM.codes(rows.table)[:, chosen])
    pd = 1 / (1 + np.exp(-layer.logit(shared[chosen], codes)))
    return -float(np.where(rows.bad[chosen] == 1, np.log(pd), np.log1p(-pd)).sum())


def test_a_trial_tells_every_mixtures_loss_on_validation_rows() -> None:
    """All 63 losses are those of a layer trained on the training rows and mixed by hand."""
    rows, truth = book(300, 100)
    shared = 0.4 * truth
    trial = try_personal(rows, TRANSFORM, shared)
    assert trial is not None
    layer = trained_on(rows, shared, rows.roles.training)
    expected = [
        [
            summed_loss(replace(layer, local_weight=w, residual_scale=r), rows, shared)
            for w in WEIGHTS
        ]
        for r in RESIDUALS
    ]
    np.testing.assert_allclose(trial.table(), expected, rtol=1e-9)


@pytest.mark.parametrize("mixture", [COMMON, Mixture(0.8, 0.0), Mixture(0.1, 0.5)], ids=str)
def test_the_weight_is_the_one_of_greatest_posterior(mixture: Mixture) -> None:
    """Validation likelihood of the trial, normal prior around the consortium's weight."""
    rows, truth = book(900, 300, strength=1.0)
    shared = 0.4 * truth
    trial = trained_on(rows, shared, rows.roles.training)
    costs = [
        summed_loss(replace(trial, local_weight=w, residual_scale=mixture.residual), rows, shared)
        + 0.5 * ((w - mixture.weight) / 0.2) ** 2
        for w in WEIGHTS
    ]
    layer = fitted(rows, shared, mixture)
    assert layer.local_weight == pytest.approx(WEIGHTS[int(np.argmin(costs))])
    assert layer.residual_scale == mixture.residual


def test_the_layer_itself_is_trained_on_training_and_validation_rows() -> None:
    """The trial only chooses the weight; its trees are thrown away."""
    rows, truth = book(300, 100)
    both = trained_on(rows, truth, np.arange(300))
    layer = fitted(rows, truth)
    assert layer.local is not None
    assert both.local is not None
    assert torch.equal(layer.local.leaf, both.local.leaf)
    assert layer.intercept == both.intercept


def test_the_residual_scale_scales_the_residual_trees_alone() -> None:
    """Half of them is half way between none and all."""
    rows, truth = book(200, 20)
    codes = TRANSFORM.codes(rows.table)
    layer = replace(fitted(rows, truth), local_weight=0.3)
    none, half, all_of_it = (
        replace(layer, residual_scale=scale).logit(truth, codes) for scale in (0.0, 0.5, 1.0)
    )
    np.testing.assert_allclose(half, (none + all_of_it) / 2, atol=1e-12)
    assert np.abs(all_of_it - none).max() > 0.01


@pytest.mark.parametrize("kind", ["whole", "intercept"])
def test_a_personal_models_reasons_add_up_to_its_logit(kind: str) -> None:
    """From the shared model's reasons: shared, residual and local parts in their mixture."""
    rows, _ = book(60, 0, seed=8)
    layer, codes = replace(layers()[kind], residual_scale=0.5), TRANSFORM.codes(rows.table)
    moved, base = np.random.default_rng(1).normal(size=(60, 2)), -0.7
    shared = moved.sum(axis=1) + base
    ours, start = layer.explain(moved, base, codes)
    np.testing.assert_allclose(ours.sum(axis=1) + start, layer.logit(shared, codes), atol=1e-5)


def loss(logit: Floats, bad: NDArray[np.int8]) -> float:
    return float(np.logaddexp(0, np.where(bad == 1, -logit, logit)).mean())


def test_the_layer_helps_where_the_shared_model_misses_something() -> None:
    """On rows never trained on, the personal loss is below the shared one."""
    rows, truth = book(2000, 300, test=700)
    shared = 0.2 * truth
    layer, test = fitted(rows, shared), rows.roles.test
    codes = np.ascontiguousarray(TRANSFORM.codes(rows.table)[:, test])
    ours = layer.logit(shared[test], codes)
    assert loss(ours, rows.bad[test]) < loss(shared[test], rows.bad[test]) - 0.05


def test_labels_of_test_rows_do_not_enter_the_layer() -> None:
    """Flipping them changes no byte; flipping validation labels, the control, does."""
    rows, truth = book(400, 60, test=100)
    before = personal_files(fitted(rows, truth))
    assert personal_files(fitted(rows, truth)) == before
    for part, same in ((rows.roles.test, True), (rows.roles.validation, False)):
        flipped = rows.bad.copy()
        flipped[part] = 1 - flipped[part]
        table = Table(SCHEMA, rows.table.values, flipped, rows.table.row_key)
        other = LenderRows(table, rows.roles, rows.secret)
        assert (personal_files(fitted(other, truth)) == before) is same


@pytest.mark.parametrize(
    ("rows", "validation", "labels"),
    [(59, 10, None), (300, 30, 0), (300, 30, 1), (300, 300, None), (0, 0, None)],
    ids=["few rows", "all good", "all bad", "no training rows", "no rows"],
)
def test_too_little_to_learn_from_gives_an_intercept_only(
    rows: int, validation: int, labels: int | None
) -> None:
    """Few rows, one class, or nothing to train on: no trial, no trees, a finite shift."""
    lender, truth = book(rows, validation)
    if labels is not None:
        table = lender.table
        bad = np.full(rows, labels, dtype=np.int8)
        lender = LenderRows(Table(SCHEMA, table.values, bad, table.row_key), lender.roles, 5)
    assert try_personal(lender, TRANSFORM, truth) is None
    layer = fitted(lender, truth)
    assert (layer.residual, layer.local, layer.local_weight) == (None, None, 0.0)
    assert np.isfinite(layer.intercept)
    codes = TRANSFORM.codes(lender.table)
    np.testing.assert_array_equal(layer.logit(truth, codes), truth + layer.intercept)
    if labels is not None:
        assert np.sign(layer.intercept) == (1 if labels else -1)


def test_fifty_rows_of_both_classes_are_enough() -> None:
    """The other side of the threshold: validation rows do not count."""
    rows, truth = book(60, 10)
    assert fitted(rows, truth).residual is not None


@pytest.mark.parametrize("shift", [-2.0, 0.0, 1.5])
def test_the_intercept_meets_the_lenders_own_bad_rate(
    shift: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On many rows the mean PD is the bad rate, wherever the shared logit was centred."""
    monkeypatch.setattr(personal, "LEAST_ROWS", 10**9)
    rows, truth = book(20_000, 0)
    layer = fitted(rows, truth - shift)
    mean = float((1 / (1 + np.exp(-(truth - shift + layer.intercept)))).mean())
    assert mean == pytest.approx(float(rows.bad.mean()), abs=1e-4)
    assert layer.intercept == pytest.approx(shift, abs=0.1)


def test_a_few_rows_barely_move_the_intercept(monkeypatch: pytest.MonkeyPatch) -> None:
    """Three bad rows of three are no reason to call every applicant bad."""
    monkeypatch.setattr(personal, "LEAST_ROWS", 10**9)
    rows, _ = book(3, 0)
    table = Table(SCHEMA, rows.table.values, np.ones(3, dtype=np.int8), rows.table.row_key)
    intercept = fitted(LenderRows(table, rows.roles, 5), np.zeros(3)).intercept
    assert 0 < intercept < 2.5


def layers() -> dict[str, PersonalLayer]:
    rows, truth = book(120, 20)
    whole = fitted(rows, truth, Mixture(0.4, 0.5))
    return {"whole": whole, "intercept": PersonalLayer(-0.25)}


@pytest.mark.parametrize("kind", ["whole", "intercept"])
def test_a_saved_layer_scores_to_the_bit_as_before(kind: str) -> None:
    """Written, read, and written again to the same bytes."""
    layer = layers()[kind]
    files = personal_files(layer)
    loaded = personal_from(files)
    rows, truth = book(150, 0, seed=8)
    codes = TRANSFORM.codes(rows.table)
    assert loaded.logit(truth, codes).tobytes() == layer.logit(truth, codes).tobytes()
    assert personal_files(loaded) == files


def test_a_personal_model_is_the_layer_on_the_shared_model() -> None:
    """Scored from a table: shared logit first, then the layer."""
    layer, (rows, _) = layers()["whole"], book(40, 0, seed=8)
    shared = SharedModel(SCHEMA, TRANSFORM, (Part(BoostedTrees(1, 1, -0.5)),))
    expected = layer.logit(np.full(40, -0.5), TRANSFORM.codes(rows.table))
    np.testing.assert_array_equal(PersonalModel(shared, layer).logit(rows.table), expected)


def bend_document(path: str, value: object) -> Callable[[dict[str, bytes]], None]:
    def bend(files: dict[str, bytes]) -> None:
        document = json.loads(files[DOCUMENT])
        inner = document["trees"] if path in ("residual", "local") else document
        inner[path] = value
        files[DOCUMENT] = json.dumps(document).encode()

    return bend


def bend_tensor(name: str, make: Callable[[torch.Tensor], torch.Tensor]) -> Callable[..., None]:
    def bend(files: dict[str, bytes]) -> None:
        tensors = load(files[TENSORS])
        tensors[name] = make(tensors[name])
        files[TENSORS] = save(tensors)

    return bend


BENT: dict[str, Callable[[dict[str, bytes]], object]] = {
    "no document": lambda files: files.pop(DOCUMENT),
    "no tensors": lambda files: files.pop(TENSORS),
    "cut document": lambda files: files.update({DOCUMENT: files[DOCUMENT][:30]}),
    "cut tensors": lambda files: files.update({TENSORS: files[TENSORS][:-5]}),
    "a list": lambda files: files.update({DOCUMENT: b"[]"}),
    "trees a list": bend_document("trees", [1]),
    "weight above one": bend_document("local_weight", 1.5),
    "weight not a number": bend_document("local_weight", float("nan")),
    "scale above one": bend_document("residual_scale", 1.1),
    "no scale": lambda files: files.update({DOCUMENT: files[DOCUMENT].replace(b"_scale", b"")}),
    "intercept infinite": bend_document("intercept", float("inf")),
    "intercept a text": bend_document("intercept", "low"),
    "more trees than there are": bend_document("residual", [2**20, 4, 5]),
    "another depth": bend_document("local", [240, 7, 240]),
    "two numbers": bend_document("local", [240, 4]),
    "NaN leaf": bend_tensor("local.leaf", lambda leaf: leaf * torch.nan),
    "other type": bend_tensor("local.leaf", lambda leaf: leaf.float()),
}


@pytest.mark.parametrize("bend", BENT)
def test_a_damaged_layer_is_refused(bend: str) -> None:
    """Cut, edited or mixed up: the operator's error with what to do, and nothing else."""
    files = personal_files(layers()["whole"])
    BENT[bend](files)
    with pytest.raises(OperatorError, match="personal layer") as refused:
        personal_from(files)
    assert refused.value.remedy
