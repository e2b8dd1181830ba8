"""Training the network from summed weights: both halves of one round.

    lender      answer():  one epoch over its own rows from the shared weights; its weights and
                           optimiser moments, each times its share of all rows        → sum
    everybody   absorb():  the sums divided by the summed share are the next shared state

Invariants:
- The shared state after round r follows from the total of round r alone; the final average of
  weights needs every total.
- A fold uses nothing but elementwise IEEE double arithmetic: two copies that started from the same
  initial weights (torch's generator, so one torch version) and absorbed the same totals are equal,
  bit for bit. A lender's own epoch need not repeat on another machine, only on its own.
- `answer` leaves the copy as it was, and is a pure function of (state, rows, lender_seed).
- Every value of an answer lies within ± `BOUND`, and so does a total, give or take one per lender,
  however many lenders there are: values are clipped first and weighted by row shares afterwards.
- No sum of up to 2**20 lenders overflows, but above 32 lenders one of a large share may be clipped
  harder: it keeps to `lender_bits`. With 33 … 64 lenders ± 16 fits a share of up to 1/2, with 65 …
  128 up to 1/4, and so on; trained weights are so much smaller that any share fits.
- Weights and means are rounded at random, so that rounding has no drift: the last bits of a
  lender's answer follow from its secret and the round, and asking twice gives the same bytes.
- The number of rows travels as the last value, since it is the divisor of all others. So the totals
  of two rounds, one lender being in one of them only, tell its number of training rows.

Sources: federated averaging (McMahan et al., AISTATS 2017); moments averaged with the weights
(FedAdamW, arXiv 2510.27486); the lender's prior in the loss (FedLC, arXiv 2209.00189).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits

from shared.errors import InternalError, OperatorError, PeerError
from shared.model.features import PiecewiseLinear
from shared.model.network import Network
from shared.model.transform import Transform
from shared.secure_sum.fixed_point import lender_bits, stochastic
from shared.training.family import learning_points
from shared.training.question import Question

BOUND = 2**26 - 1
"""No value of an answer is larger than this, so 32 lenders fit a 32-bit ring in the worst case."""
WEIGHT_BITS = 22
"""Weights travel in steps of 2**-22."""
WEIGHT_CLIP = 16.0
"""No weight is larger than one step less than this."""
MOMENT_BITS = 25
"""Gradient mean, gradient root mean square and their masses: steps of 2**-25, clipped at ± 2."""

_BETA1, _BETA2, _EPSILON = 0.9, 0.999, 1e-8  # AdamW's usual constants
_ROUNDING = 1  # sets the stream that rounds apart from any other of the same secret and round
_PRIOR_ROWS = 10.0  # rows at the consortium's bad rate that temper a lender's own
_AVERAGE_AFTER = 3  # rounds; before that the average would still hold untrained weights

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class NetworkSettings:
    """How the network is built and trained; raises OperatorError when a value is out of range.

    `rounds` of one local epoch in batches of `batch` rows; AdamW at `learning_rate` with
    `weight_decay`, rising over `warm_up` rounds and falling along a cosine; `dropout` in [0, 1);
    `pieces` per number column; `average` in [0, 1): share of the running average of weights that
    a new round keeps. Measured choices: docs/model-network.md.
    """

    rounds: int = 18
    batch: int = 128
    learning_rate: float = 6e-3
    warm_up: int = 2
    weight_decay: float = 3e-4
    dropout: float = 0.15
    width: int = 96
    members: int = 8
    pieces: int = 16
    average: float = 0.5

    def __post_init__(self) -> None:
        counts = (self.rounds, self.batch, self.warm_up, self.width, self.members, self.pieces)
        if min(counts) < 1:
            raise OperatorError(
                "network settings: rounds, batch, warm_up, width, members and pieces start at 1"
            )
        if not (0 <= self.dropout < 1 and 0 <= self.average < 1):
            raise OperatorError("network settings: dropout and average lie in [0, 1)")
        if not (0 < self.learning_rate < 1 and 0 <= self.weight_decay < 1):
            raise OperatorError("network settings: learning_rate in (0, 1), weight_decay in [0, 1)")

    def rate(self, round_index: int) -> float:
        """Learning rate of round 0 … rounds-1."""
        cosine = 0.5 * (1.0 + math.cos(math.pi * round_index / self.rounds))
        return self.learning_rate * cosine * min(1.0, (round_index + 1) / self.warm_up)


@dataclass(frozen=True, eq=False)
class NetworkState:
    """What lenders share between rounds: float64, each array of shape (P,).

    `mean` and `root` are AdamW's bias-corrected moments, as gradient mean and root mean square.
    A mass is 1 - β**steps, the divisor of the bias correction. It follows the same recursion as the
    moment, so averaging both keeps the correction right when lenders take different numbers of
    steps; a step count could not be averaged like that.
    """

    weights: Floats
    mean: Floats
    root: Floats
    mean_mass: float = 0.0
    root_mass: float = 0.0


class NetworkTraining:
    """One identical copy at the coordinator and at every lender.

    `rows`, `bad` and `lenders` are the consortium's totals from the census, 0 < bad < rows <=
    `BOUND`, else OperatorError. `round` counts the rounds absorbed; `features` is the encoding of a
    table that `answer` expects; `points`: after how many rounds each the averaged weights are kept.
    """

    def __init__(
        self,
        transform: Transform,
        settings: NetworkSettings,
        rows: int,
        bad: int,
        seed: int,
        lenders: int = 1,
    ) -> None:
        if not 0 < bad < rows <= BOUND:
            raise OperatorError(
                f"the network needs good and bad rows, {BOUND} at most; the census has "
                f"{bad} bad of {rows}"
            )
        self.settings = settings
        self.rows = rows
        self.features = PiecewiseLinear(transform, settings.pieces)
        self.round = 0
        self.points = learning_points(settings.rounds, every=1)
        self._limit = min(BOUND, 2 ** (lender_bits(lenders) - 1) - 1)
        self._seed = seed
        self._bad_rate = bad / rows
        initial = torch.nn.utils.parameters_to_vector(self._network().parameters())
        weights = initial.detach().double().numpy()
        self.state = NetworkState(weights, np.zeros_like(weights), np.zeros_like(weights))
        self._average: Floats = weights
        self._kept = {0: weights.astype(np.float32)}

    @property
    def rounds(self) -> int:
        """Rounds of training."""
        return self.settings.rounds

    @property
    def finished(self) -> bool:
        """True when every round has been absorbed."""
        return self.round == self.rounds

    @property
    def length(self) -> int:
        """Whole numbers in one answer: three per parameter, two masses, the row count."""
        return 3 * len(self.state.weights) + 3

    def question(self) -> Question:
        """What the next round asks; InternalError when no round is left."""
        if self.finished:
            raise InternalError("the network has no round left to ask")
        return Question(
            stage=f"network/{self.round}",
            kind="weights",
            length=self.length,
            fraction_bits=WEIGHT_BITS,
            clip=WEIGHT_CLIP,
            purpose="network weights and optimiser moments after one pass over this lender's rows, "
            "times its share of all rows; last, its number of rows",
        )

    def answer(
        self, table_features: Tensor, bad: NDArray[np.int8], lender_seed: int
    ) -> NDArray[np.int64]:
        """A lender's share of this round, int64 (`length`,).

        `table_features`: float (n, D) from `features`, float16 to halve the memory of a large
        book; `bad`: 1 or 0, shape (n,). `lender_seed` >= 0 is the lender's own secret: shuffling
        and dropout follow from it and the round. A lender without rows answers zeros and so has no
        weight. One whose rows are all good, or all bad, takes part: see `_prior_offset`.
        Raises InternalError for a wrong shape, OperatorError for more rows than the census.
        """
        rows, width = len(bad), self.features.width
        if self.finished or table_features.shape != (rows, width):
            raise InternalError(
                f"round {self.round}: expected features ({rows}, {width}), "
                f"got {tuple(table_features.shape)}"
            )
        if rows > self.rows:
            raise OperatorError(
                f"{rows} rows to train on, but the whole census has {self.rows}",
                remedy="train on the rows that were counted in the census",
            )
        if rows == 0:
            return np.zeros(self.length, dtype=np.int64)
        after = self._local_epoch(table_features, bad, lender_seed)
        rounding = np.random.Generator(np.random.PCG64([lender_seed, self.round, _ROUNDING]))
        values = np.clip(_to_vector(after, rows / self.rows, rounding), -self._limit, self._limit)
        return np.append(values, rows)

    def absorb(self, total: NDArray[np.int64]) -> None:
        """Take the released total of this round; PeerError (nothing changed) if it is no total."""
        state = _from_total(self.question().check(total), self.rows)
        if self.round < _AVERAGE_AFTER:
            self._average = state.weights
        else:
            keep = self.settings.average
            self._average = keep * self._average + (1.0 - keep) * state.weights
        self.state = state
        self.round += 1
        if self.round in self.points:
            self._kept[self.round] = self._average.astype(np.float32)

    def module(self) -> Network:
        """The network with the running average of weights."""
        return self._network_of(self._average)

    def staged_modules(self) -> list[Network]:
        """The network as it was after each of `points` rounds; InternalError before the last one
        is over.
        """
        if not self.finished:
            raise InternalError("the learning curve needs the total of every round")
        return [self._network_of(self._kept[point]) for point in self.points]

    def _network_of(self, weights: NDArray[np.floating]) -> Network:
        network = self._network()
        flat = torch.from_numpy(weights).float()
        torch.nn.utils.vector_to_parameters(flat, network.parameters())
        return network

    def _network(self) -> Network:
        width, members = self.settings.width, self.settings.members
        return Network(self.features.width, self._seed, width=width, members=members)

    def _local_epoch(self, x: Tensor, bad: NDArray[np.int8], lender_seed: int) -> NetworkState:
        """The state after one shuffled pass over the rows."""
        generator = _generator(lender_seed, self.round)
        learner = _Learner(self._network(), self.state, self.settings, self.round)
        offset = _prior_offset(bad, self._bad_rate)
        target = torch.from_numpy(bad.astype(np.float32))
        batches = max(1, round(len(bad) / self.settings.batch))
        for index in torch.randperm(len(bad), generator=generator).chunk(batches):
            learner.step(x[index].float(), target[index], offset, generator)
        return learner.state()


class _Learner:
    """AdamW (Loshchilov, Hutter, ICLR 2019) over one flat vector that the network's weights view.

    One flat vector makes a step a handful of torch calls, and is what lenders add up anyway.
    """

    def __init__(
        self, network: Network, start: NetworkState, settings: NetworkSettings, round_index: int
    ) -> None:
        self._network = network
        self._settings = settings
        self._rate = settings.rate(round_index)
        self._mean_mass, self._root_mass = start.mean_mass, start.root_mass
        self._weights = torch.from_numpy(start.weights).float()
        self._mean = torch.from_numpy(start.mean * start.mean_mass).float()
        self._square = torch.from_numpy(start.root**2 * start.root_mass).float()
        self._gradient = torch.zeros_like(self._weights)
        first = 0
        for parameter in network.parameters():
            last = first + parameter.numel()
            parameter.data = self._weights[first:last].view(parameter.shape)
            parameter.grad = self._gradient[first:last].view(parameter.shape)
            first = last

    def step(self, x: Tensor, target: Tensor, offset: float, generator: torch.Generator) -> None:
        """One batch: float32 (b, D), float32 (b,)."""
        self._gradient.zero_()
        with torch.enable_grad():
            logits = self._network(x, self._masks(len(x), generator)) + offset
            wanted = target[:, None].expand_as(logits)
            loss = binary_cross_entropy_with_logits(logits, wanted)
            torch.autograd.backward(loss)
        self._mean_mass = _BETA1 * self._mean_mass + (1.0 - _BETA1)
        self._root_mass = _BETA2 * self._root_mass + (1.0 - _BETA2)
        self._mean.lerp_(self._gradient, 1.0 - _BETA1)
        self._square.mul_(_BETA2).addcmul_(self._gradient, self._gradient, value=1.0 - _BETA2)
        root = (self._square / self._root_mass).sqrt_().add_(_EPSILON)
        self._weights.mul_(1.0 - self._rate * self._settings.weight_decay)
        self._weights.addcdiv_(self._mean, root, value=-self._rate / self._mean_mass)

    def state(self) -> NetworkState:
        """Where training has come to; InternalError when a weight is no longer finite."""
        weights, mean, square = (
            part.double().numpy() for part in (self._weights, self._mean, self._square)
        )
        if not np.isfinite([weights, mean, square]).all():
            raise InternalError("training diverged: a weight or moment is not finite")
        root = np.sqrt(square / self._root_mass)
        return NetworkState(weights, mean / self._mean_mass, root, self._mean_mass, self._root_mass)

    def _masks(self, rows: int, generator: torch.Generator) -> tuple[Tensor, Tensor] | None:
        dropout = self._settings.dropout
        if dropout == 0:
            return None
        draw = torch.rand(2, rows, 1, self._settings.width, generator=generator)
        kept = (draw >= dropout).float() / (1.0 - dropout)
        return kept[0], kept[1]


def _generator(lender_seed: int, round_index: int) -> torch.Generator:
    """A generator for one lender and round, so that a resumed run repeats it exactly."""
    words = np.random.SeedSequence([lender_seed, round_index]).generate_state(1, np.uint64)
    return torch.Generator().manual_seed(int(words[0]) >> 1)


def _prior_offset(bad: NDArray[np.int8], bad_rate: float) -> float:
    """What to add to the shared logit at a lender whose bad rate is not the consortium's.

    The log odds of the lender's bad rate less those of the consortium's. With it a lender of a
    better book does not pull every score down; it teaches only what sets its rows apart. A few
    rows at the consortium's rate temper the lender's, so one class alone gives a finite offset,
    and such a lender barely moves the weights.
    """
    own = (float(bad.sum()) + _PRIOR_ROWS * bad_rate) / (len(bad) + _PRIOR_ROWS)
    return math.log(own / (1.0 - own)) - math.log(bad_rate / (1.0 - bad_rate))


def _to_vector(
    state: NetworkState, share: float, generator: np.random.Generator
) -> NDArray[np.int64]:
    """Weights, means, roots, masses: clipped, times `share`, fixed point."""
    weights = _rounded(state.weights, WEIGHT_BITS, share, generator)
    means = _rounded(state.mean, MOMENT_BITS, share, generator)
    masses = np.array([state.mean_mass, state.root_mass])
    # Rounded up: a root of 0 under a mean that is not would give AdamW a step without limit.
    roots = np.ceil(np.minimum(state.root * 2.0**MOMENT_BITS, BOUND) * share)
    whole = np.concatenate([roots, np.rint(masses * share * 2.0**MOMENT_BITS)])
    return np.concatenate([weights, means, whole.astype(np.int64)])


def _rounded(
    values: Floats, bits: int, share: float, generator: np.random.Generator
) -> NDArray[np.int64]:
    clip = BOUND / 2.0**bits
    return stochastic(np.clip(values, -clip, clip) * share, bits, clip, generator)


def _from_total(total: NDArray[np.int64], rows: int) -> NetworkState:
    """The lenders' mean state; PeerError when the total cannot be a sum of answers."""
    size, count = (len(total) - 3) // 3, int(total[-1])
    if not 0 < count <= rows:
        raise PeerError(f"a total of {count} rows, where the census has {rows}")
    if total[2 * size : -1].min() < 0:
        raise PeerError("a total with a negative root mean square or mass")
    share = count / rows
    weights = total[:size] / 2.0**WEIGHT_BITS / share
    moments = total[size:-1] / 2.0**MOMENT_BITS / share
    return NetworkState(
        weights, moments[:size], moments[size:-2], float(moments[-2]), float(moments[-1])
    )
