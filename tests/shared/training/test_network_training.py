"""Both halves of a network round: sums, determinism, bounds, odd lenders, and that it learns."""

import dataclasses
import math
from collections.abc import Iterator
from functools import lru_cache

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from torch import Tensor

from shared.errors import InternalError, OperatorError, PeerError
from shared.model.transform import NumberBins, Transform
from shared.schema import Column, LabelContract, Schema, Table
from shared.training import network_training
from shared.training.network_training import BOUND, NetworkSettings, NetworkTraining

SMALL = NetworkSettings(rounds=6, batch=32, width=16, members=4, pieces=8)
SCHEMA = Schema(
    version=1,
    columns=(Column("income", "number"), Column("age", "number")),
    label=LabelContract("bad", bad=("1",), good=("0",)),
    row_key="row",
)
Lender = tuple[NDArray[np.float64], NDArray[np.int8]]


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    """So small a network is slower on many threads."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def transform() -> Transform:
    quantiles = tuple(float(edge) for edge in np.linspace(-2.5, 2.5, 31))
    return Transform((NumberBins("income", quantiles), NumberBins("age", quantiles)))


def draw(rows: int, centre: float, seed: int) -> Lender:
    """A ring: rows near the origin are good, rows far out are bad. No straight line parts them."""
    generator = np.random.default_rng(seed)
    values = generator.normal([centre, 0.0], [0.7, 1.0], (rows, 2))
    pd = 1.0 / (1.0 + np.exp(-4.0 * (np.hypot(*values.T) - 1.3)))
    return values, (generator.random(rows) < pd).astype(np.int8)


@lru_cache(maxsize=1)
def lenders() -> tuple[Lender, ...]:
    """Three lenders of different size, customers and bad rate."""
    return draw(700, -1.2, 1), draw(300, 0.0, 2), draw(500, 1.2, 3)


def features(training: NetworkTraining, values: NDArray[np.float64]) -> Tensor:
    rows = Table(
        schema=SCHEMA,
        values={"income": values[:, 0], "age": values[:, 1]},
        bad=None,
        row_key=np.arange(len(values)),
    )
    return torch.from_numpy(training.features.matrix(rows))


def start(books: tuple[Lender, ...], settings: NetworkSettings = SMALL) -> NetworkTraining:
    rows, bad = sum(len(b) for _, b in books), sum(int(b.sum()) for _, b in books)
    return NetworkTraining(transform(), settings, rows, bad, seed=4)


def answers(training: NetworkTraining, books: tuple[Lender, ...]) -> list[NDArray[np.int64]]:
    return [
        training.answer(features(training, values), bad, seed)
        for seed, (values, bad) in enumerate(books)
    ]


def total(training: NetworkTraining, books: tuple[Lender, ...]) -> NDArray[np.int64]:
    return np.sum(answers(training, books), axis=0)


def train(
    books: tuple[Lender, ...], settings: NetworkSettings = SMALL
) -> tuple[NetworkTraining, list[NDArray[np.int64]]]:
    training, totals = start(books, settings), []
    while not training.finished:
        totals.append(total(training, books))
        training.absorb(totals[-1])
    return training, totals


@lru_cache(maxsize=1)
def trained() -> tuple[NetworkTraining, list[NDArray[np.int64]]]:
    return train(lenders())


def state_bytes(training: NetworkTraining) -> bytes:
    state = training.state
    masses = np.array([state.mean_mass, state.root_mass])
    parts = (state.weights, state.mean, state.root, masses)
    return b"".join(part.tobytes() for part in parts)


def module_bytes(training: NetworkTraining) -> bytes:
    return b"".join(p.detach().numpy().tobytes() for p in training.module().parameters())


def auc(training: NetworkTraining, books: tuple[Lender, ...]) -> float:
    logit = np.concatenate(
        [training.module().logit(features(training, values)).numpy() for values, _ in books]
    )
    return float(roc_auc_score(np.concatenate([bad for _, bad in books]), logit))


FRESH = draw(700, -1.2, 11), draw(300, 0.0, 12), draw(500, 1.2, 13)


def test_it_learns_what_locally_scaled_logistic_regression_cannot() -> None:
    """AUC over 0.8 on fresh rows of three skewed lenders; local scaling and a line do far worse."""

    def scaled(values: NDArray[np.float64]) -> NDArray[np.float64]:
        return (values - values.mean(axis=0)) / values.std(axis=0)

    x, y = (np.concatenate(parts) for parts in zip(*lenders(), strict=True))
    assert len(x) == len(y)
    naive = LogisticRegression().fit(np.concatenate([scaled(v) for v, _ in lenders()]), y)
    line = roc_auc_score(
        np.concatenate([bad for _, bad in FRESH]),
        naive.predict_proba(np.concatenate([scaled(values) for values, _ in FRESH]))[:, 1],
    )
    ours = auc(trained()[0], FRESH)
    assert ours > 0.8
    assert ours > line + 0.1


def test_identical_lenders_add_up_to_one_lender() -> None:
    """Four lenders with the same rows and seed move the state as one of them alone would."""
    values, bad = draw(120, 0.0, 5)
    one, four = start(((values, bad),)), start(((values, bad),) * 4)
    for training, copies in ((one, 1), (four, 4)):
        answer = training.answer(features(training, values), bad, lender_seed=9)
        training.absorb(copies * answer)
    weights = np.abs(one.state.weights - four.state.weights)
    assert weights.max() <= 4 * 2.0**-network_training.WEIGHT_BITS
    roots = np.abs(one.state.root - four.state.root)
    assert roots.max() <= 5 * 2.0**-network_training.MOMENT_BITS
    assert one.state.root_mass == pytest.approx(four.state.root_mass, abs=1e-6)


def test_two_copies_that_absorb_the_same_totals_are_equal_to_the_byte() -> None:
    """Folding is deterministic, for the shared state and for the final module."""
    training, totals = trained()
    copy = start(lenders())
    for vector in totals:
        copy.absorb(vector)
    assert state_bytes(copy) == state_bytes(training)
    assert module_bytes(copy) == module_bytes(training)


def test_answering_changes_nothing_and_repeats_to_the_byte() -> None:
    """An answer depends on state, rows and seed only; asking twice moves nothing."""
    training, (values, bad) = start(lenders()), lenders()[1]
    training.absorb(total(training, lenders()))
    before = state_bytes(training), module_bytes(training), training.round
    torch_state = torch.get_rng_state()
    matrix = features(training, values)
    first, again, other = (training.answer(matrix, bad, seed) for seed in (7, 7, 8))
    assert (state_bytes(training), module_bytes(training), training.round) == before
    assert torch.equal(torch.get_rng_state(), torch_state)
    assert first.tobytes() == again.tobytes()
    assert first.tobytes() != other.tobytes()


def test_the_order_of_lenders_is_irrelevant() -> None:
    """Integer sums are the same to the byte in any order and grouping."""
    a, b, c = answers(start(lenders()), lenders())
    assert ((a + b) + c).tobytes() == (c + (b + a)).tobytes()


def test_the_state_follows_from_the_last_total_alone() -> None:
    """A copy that saw no round but the fifth answers as one that was always there; not one that
    saw another (control).
    """
    _, totals = trained()
    steady, late, other = (start(lenders()) for _ in range(3))
    for vector in totals[:5]:
        steady.absorb(vector)
    late.round = other.round = 4
    late.absorb(totals[4])
    other.absorb(totals[3])
    assert state_bytes(late) == state_bytes(steady) != state_bytes(other)
    assert answers(late, lenders())[0].tobytes() == answers(steady, lenders())[0].tobytes()


def test_a_round_without_one_lender_still_averages() -> None:
    """Losing a lender divides by the rows that did arrive, so weights do not shrink."""
    training = start(lenders())
    first = answers(training, lenders())[0]
    training.absorb(first)
    share = 700 / 1500
    expected = first[: len(training.state.weights)] / 2.0**network_training.WEIGHT_BITS / share
    np.testing.assert_allclose(training.state.weights, expected, rtol=1e-12)


def test_every_answer_keeps_the_declared_bound() -> None:
    """Absurd weights are clipped to the bound times the lender's share; sane ones need no clip."""
    training = start(lenders())
    for vector in answers(training, lenders()):
        assert np.abs(vector).max() < BOUND // 4
    training.state = dataclasses.replace(training.state, weights=training.state.weights * 1e3)
    clipped = answers(training, lenders())
    for vector, (_, bad) in zip(clipped, lenders(), strict=True):
        share = len(bad) / 1500
        assert BOUND * share - 1 < np.abs(vector[:-1]).max() <= math.ceil(BOUND * share)
    assert np.abs(np.sum(clipped, axis=0)).max() <= BOUND + len(clipped)


def test_a_lender_without_rows_has_no_weight() -> None:
    """It answers zeros, and the total is that of the others."""
    training = start(lenders())
    nothing = training.answer(
        torch.zeros(0, training.features.width), np.zeros(0, dtype=np.int8), lender_seed=1
    )
    assert nothing.shape == (training.length,)
    assert not nothing.any()


def test_lenders_of_one_class_take_part_and_hurt_nobody() -> None:
    """Forty safe rows at one lender and forty risky ones at another cost the rest no ranking."""
    inside, outside = draw(40, 0.0, 6)[0] * 0.3, draw(40, 0.0, 7)[0] * 0.3 + 2.0
    odd = (inside, np.zeros(40, dtype=np.int8)), (outside, np.ones(40, dtype=np.int8))
    together, _ = train((*lenders(), *odd))
    assert auc(together, FRESH) > auc(trained()[0], FRESH) - 0.01


def test_the_prior_offset_keeps_a_one_class_lender_from_dragging_scores() -> None:
    """From trained weights, an all-good lender's epoch moves its scores a fraction of the way."""
    _, totals = trained()
    values = draw(600, 0.0, 6)[0]
    good = np.zeros(600, dtype=np.int8)
    shifts = []
    for offset in (network_training._prior_offset, lambda *_: 0.0):
        training = start(lenders())
        for total in totals[:3]:
            training.absorb(total)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(network_training, "_prior_offset", offset)
            vector = training.answer(features(training, values), good, 1)
        shifts.append(abs(mean_shift(training, vector, values)))
    assert shifts[0] < 0.5 * shifts[1]


def mean_shift(
    training: NetworkTraining, vector: NDArray[np.int64], values: NDArray[np.float64]
) -> float:
    """How far one lender's answer alone would move the mean logit of `values`."""
    before, size = training.state.weights, len(training.state.weights)
    after = vector[:size] / 2.0**network_training.WEIGHT_BITS / (vector[-1] / training.rows)
    network, means = training._network(), []
    for weights in (before, after):
        flat = torch.from_numpy(weights).float()
        torch.nn.utils.vector_to_parameters(flat, network.parameters())
        means.append(float(network.logit(features(training, values)).mean()))
    return means[1] - means[0]


def test_half_precision_features_train_nearly_the_same() -> None:
    """Float16 rows, for large books, move the weights by less than a percent of a step more."""
    training, (values, bad) = start(lenders()), lenders()[0]
    matrix = features(training, values)
    size = len(training.state.weights)
    full, half = (training.answer(part, bad, 1)[:size] for part in (matrix, matrix.half()))
    share = 700 / 1500
    step = full - np.rint(training.state.weights * share * 2.0**network_training.WEIGHT_BITS)
    assert np.abs(full - half).mean() < 0.05 * np.abs(step).mean()


def test_a_total_that_cannot_be_one_is_refused_and_changes_nothing() -> None:
    """Wrong length, no rows, too many rows, or a negative root: the peer's fault, state kept."""
    training = start(lenders())
    before = state_bytes(training)
    good = total(training, lenders())
    size = len(training.state.weights)
    for place, value in ((-1, 0), (-1, 1501), (2 * size, -1)):
        wrong = good.copy()
        wrong[place] = value
        with pytest.raises(PeerError):
            training.absorb(wrong)
    with pytest.raises(PeerError):
        training.absorb(good[:-1])
    assert (state_bytes(training), training.round) == (before, 0)
    training.absorb(good)
    assert training.round == 1


def test_the_question_names_the_round_and_ends_with_the_last() -> None:
    """Stages count up; after the last one there is nothing to ask or answer."""
    training, _ = trained()
    fresh = start(lenders())
    assert (fresh.question().stage, fresh.question().length) == ("network/0", fresh.length)
    assert training.finished
    with pytest.raises(InternalError, match="no round left"):
        training.question()
    with pytest.raises(InternalError, match="expected features"):
        training.answer(features(training, lenders()[0][0]), lenders()[0][1], 1)


def test_rows_that_do_not_fit_are_refused() -> None:
    """Features of another shape are our fault; more rows than the census are the operator's."""
    training, (values, bad) = start(lenders()), lenders()[0]
    with pytest.raises(InternalError, match="expected features"):
        training.answer(features(training, values), bad[:-1], 1)
    with pytest.raises(OperatorError, match="census"):
        training.answer(features(training, np.tile(values, (3, 1))), np.tile(bad, 3), 1)


@pytest.mark.parametrize(("rows", "bad"), [(0, 0), (5, 0), (5, 5), (BOUND + 1, 5)])
def test_a_census_without_both_classes_is_refused(rows: int, bad: int) -> None:
    """There is nothing to learn from one class, and no ring for more rows than the bound."""
    with pytest.raises(OperatorError, match="census"):
        NetworkTraining(transform(), SMALL, rows, bad, seed=1)


@pytest.mark.parametrize(
    "change",
    [{"rounds": 0}, {"dropout": 1.0}, {"average": -0.1}, {"learning_rate": 0.0}],
)
def test_settings_out_of_range_are_refused(change: dict[str, float]) -> None:
    """Each range has its own message."""
    with pytest.raises(OperatorError, match="network settings"):
        dataclasses.replace(SMALL, **change)


def test_the_rate_rises_for_the_warm_up_and_falls_after() -> None:
    """Half the rate in the first of two warm-up rounds; nearly nothing in the last round."""
    settings = NetworkSettings()
    rates = [settings.rate(r) for r in range(settings.rounds)]
    assert rates[0] == pytest.approx(settings.learning_rate / 2)
    assert max(rates) == rates[1]
    assert rates[1:] == sorted(rates[1:], reverse=True)
    assert rates[-1] < 0.01 * settings.learning_rate


def test_training_that_diverges_is_refused_before_it_is_sent() -> None:
    """A weight that is not a number never becomes an integer in a sum."""
    training, (values, bad) = start(lenders()), lenders()[1]
    broken = features(training, values)
    broken[5, 0] = torch.nan
    with pytest.raises(InternalError, match="diverged"):
        training.answer(broken, bad, 1)


def test_without_dropout_only_the_shuffle_is_random() -> None:
    """With dropout off and one batch, the seed no longer matters beyond rounding."""
    calm = dataclasses.replace(SMALL, dropout=0.0, batch=10_000)
    training, (values, bad) = start(lenders(), calm), lenders()[1]
    matrix, size = features(training, values), len(training.state.weights)
    first, other = (training.answer(matrix, bad, seed)[:size] for seed in (1, 2))
    assert np.abs(first - other).mean() < 1e-3 * np.abs(first).mean()
    noisy = start(lenders(), dataclasses.replace(calm, dropout=0.5))
    first, other = (noisy.answer(matrix, bad, seed)[:size] for seed in (1, 2))
    assert np.abs(first - other).mean() > 1e-3 * np.abs(first).mean()
