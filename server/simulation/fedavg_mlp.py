"""The federated network of the usual tutorials, as a baseline: FedAvg over a plain perceptron.

Every lender imputes with its own medians and scales with its own means and deviations, so the same
loan looks different to the shared network at two lenders; that, and averaging weights that were
trained apart, is what this baseline loses by. It is deliberately typical, not tuned: 64 × 64 ReLU,
Adam at 1e-3 started afresh each round, batches of 64, one local epoch in each of 20 rounds, weights
averaged by rows (McMahan et al., AISTATS 2017, arXiv 1602.05629).

Invariants:
- A lender's statistics come from its training rows and serve its own test rows.
- The same tables and seed give the same logits: one torch.Generator of its own draws everything,
  and one thread computes.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from shared.errors import InternalError
from shared.schema import Column, Table

if TYPE_CHECKING:
    import torch

ROUNDS = 20
BATCH = 64
HIDDEN = 64
LEARNING_RATE = 1e-3

_LIMIT = 10.0  # in deviations: a lender with little spread must not blow up the shared network
_BETA1, _BETA2, _EPSILON = 0.9, 0.999, 1e-8  # Adam's usual constants (arXiv 1412.6980)


def fedavg_mlp(
    train: Sequence[Table], test: Sequence[Table], *, seed: int, rounds: int = ROUNDS
) -> list[NDArray[np.float64]]:
    """Logits of each lender's test rows, float64, shapes (test[i].rows,), after `rounds` rounds.

    `train` and `test` hold one table per lender, in the same order; training tables are labelled.
    """
    import torch

    if len(train) != len(test) or not train:
        raise InternalError(f"{len(train)} training tables and {len(test)} test tables")
    scalers = [LocalScaler.fit(table) for table in train]
    inputs = [torch.from_numpy(s.inputs(t)) for s, t in zip(scalers, train, strict=True)]
    generator = torch.Generator().manual_seed(seed)
    network = _Network(inputs[0].shape[1])
    with _one_thread():
        weights = _federated(network, inputs, [_labels(t) for t in train], generator, rounds)
        logits = [
            network.logits(weights, torch.from_numpy(scaler.inputs(table)))
            for scaler, table in zip(scalers, test, strict=True)
        ]
    return [values.numpy().astype(np.float64) for values in logits]


@dataclass(frozen=True, eq=False)
class LocalScaler:
    """One lender's medians, means and deviations, shape (number columns,) each."""

    median: NDArray[np.float64]
    mean: NDArray[np.float64]
    deviation: NDArray[np.float64]

    @classmethod
    def fit(cls, table: Table) -> LocalScaler:
        """Statistics of the lender's own rows; a column without values is 0, without spread 1."""
        numbers = _numbers(table)
        known = np.isfinite(numbers).any(axis=0)
        median = np.zeros(numbers.shape[1])
        median[known] = np.nanmedian(numbers[:, known], axis=0)
        filled = np.where(np.isnan(numbers), median, numbers)
        deviation = filled.std(axis=0)
        return cls(median, filled.mean(axis=0), np.where(deviation > 0, deviation, 1.0))

    def inputs(self, table: Table) -> NDArray[np.float32]:
        """Network inputs, (rows, D): scaled numbers, then one 0/1 column per level or missing.

        A level the schema does not list has no column: all zeros, as one-hot encoders do.
        """
        numbers = _numbers(table)
        filled = np.where(np.isnan(numbers), self.median, numbers)
        scaled = ((filled - self.mean) / self.deviation).clip(-_LIMIT, _LIMIT)
        one_hot = [
            table.values[column.name][:, None] == np.arange(-1, len(column.levels))
            for column in _of_kind(table, "category")
        ]
        return np.concatenate([scaled, *one_hot], axis=1, dtype=np.float32)


def _of_kind(table: Table, kind: str) -> list[Column]:
    return [column for column in table.schema.columns if column.kind == kind]


def _numbers(table: Table) -> NDArray[np.float64]:
    columns = [table.values[column.name] for column in _of_kind(table, "number")]
    return np.column_stack(columns) if columns else np.empty((table.rows, 0))


def _labels(table: Table) -> torch.Tensor:
    import torch

    if table.bad is None:
        raise InternalError("a lender without labels cannot train")
    return torch.from_numpy(table.bad.astype(np.float32))


class _Network:
    """A perceptron inputs → 64 → 64 → 1 over one flat vector, so that averaging is one sum."""

    def __init__(self, inputs: int) -> None:
        self.layers = [(inputs, HIDDEN), (HIDDEN, HIDDEN), (HIDDEN, 1)]
        self.sizes = [n for a, b in self.layers for n in (a * b, b)]

    def initial(self, generator: torch.Generator) -> torch.Tensor:
        """Uniform in ±1/√fan-in for weights and biases, torch's own default for linear layers."""
        import torch

        parts = [
            (2 * torch.rand(b * (a + 1), generator=generator) - 1) / a**0.5 for a, b in self.layers
        ]
        return torch.cat(parts)

    def logits(self, flat: torch.Tensor, inputs: torch.Tensor) -> torch.Tensor:
        """Shape (n,) for inputs (n, D)."""
        import torch

        hidden = inputs
        parts = iter(torch.split(flat, self.sizes))
        for depth, (a, b) in enumerate(self.layers):
            weight, bias = next(parts).view(a, b), next(parts)
            hidden = torch.addmm(bias, hidden if depth == 0 else hidden.relu(), weight)
        return hidden.squeeze(1)


def _federated(
    network: _Network,
    inputs: list[torch.Tensor],
    labels: list[torch.Tensor],
    generator: torch.Generator,
    rounds: int,
) -> torch.Tensor:
    weights = network.initial(generator)
    rows = sum(len(label) for label in labels)
    for _ in range(rounds):
        weights = sum(
            (
                _local_epoch(network, weights, x, y, generator) * (len(y) / rows)
                for x, y in zip(inputs, labels, strict=True)
            ),
            start=weights * 0,
        )
    return weights


def _local_epoch(
    network: _Network,
    weights: torch.Tensor,
    inputs: torch.Tensor,
    labels: torch.Tensor,
    generator: torch.Generator,
) -> torch.Tensor:
    """The weights after one epoch of Adam, started afresh, on one lender's shuffled rows."""
    import torch
    from torch.nn.functional import binary_cross_entropy_with_logits

    weights = weights.clone().requires_grad_()
    first, second = torch.zeros_like(weights), torch.zeros_like(weights)
    order = torch.randperm(len(labels), generator=generator)
    for step, batch in enumerate(torch.split(order, BATCH), start=1):
        loss = binary_cross_entropy_with_logits(
            network.logits(weights, inputs[batch]), labels[batch]
        )
        (gradient,) = torch.autograd.grad(loss, weights)
        first.lerp_(gradient, 1 - _BETA1)
        second.mul_(_BETA2).addcmul_(gradient, gradient, value=1 - _BETA2)
        scale = (second / (1 - _BETA2**step)).sqrt_().add_(_EPSILON)
        with torch.no_grad():
            weights.addcdiv_(first, scale, value=-LEARNING_RATE / (1 - _BETA1**step))
    return weights.detach()


@contextmanager
def _one_thread() -> Iterator[None]:
    """Matrices this small gain nothing from threads, and one thread adds in one order."""
    import torch

    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)
