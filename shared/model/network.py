"""The network: TabM-mini, an ensemble of `members` two-layer perceptrons that share their weights.

Invariants:
- The initial weights are a pure function of (features, width, members, seed): they come from a
  generator of the network's own, never from torch's global one.
- Nothing in here is random afterwards. Dropout masks are drawn by whoever trains, and passed in.
- `parameters()` come in a fixed order, the order of the flat vector that lenders add up.

Source: Gorishniy, Kotelnikov, Babenko, "TabM: Advancing Tabular Deep Learning with
Parameter-Efficient Ensembling" (ICLR 2025, arXiv 2410.24210), the variant TabM-mini: members differ
in a ±1 adapter on their input and in their output head, and share all else.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn.functional import logsigmoid, relu

_BLOCK = 4096  # rows at a time in `logit`: 4096 · 8 · 96 floats are 13 MB a layer


class Network(nn.Module):
    """A credit-risk network over `features` = D inputs, with k `members` and hidden `width` H.

    >>> import torch
    >>> network = Network(features=5, seed=7)
    >>> rows = torch.zeros(3, 5)
    >>> network(rows).shape, network.logit(rows).shape
    (torch.Size([3, 8]), torch.Size([3]))
    """

    def __init__(self, features: int, seed: int, *, width: int = 96, members: int = 8) -> None:
        super().__init__()
        generator = torch.Generator().manual_seed(seed)
        signs = torch.randint(0, 2, (members, features), generator=generator)
        # Random signs give every member its own view of the same rows from the first step on.
        self.adapter = nn.Parameter(2.0 * signs.to(torch.float32) - 1.0)  # (k, D)
        self.first = _uniform(generator, features, width, fan_in=features)  # (D, H)
        self.first_bias = _uniform(generator, width, fan_in=features)  # (H,)
        self.second = _uniform(generator, width, width, fan_in=width)  # (H, H)
        self.second_bias = _uniform(generator, width, fan_in=width)  # (H,)
        self.head = _uniform(generator, members, width, fan_in=width)  # (k, H)
        self.head_bias = nn.Parameter(torch.zeros(members))  # (k,)

    def forward(self, x: Tensor, masks: tuple[Tensor, Tensor] | None = None) -> Tensor:
        """Members' logits, float32 (n, k), of features float32 (n, D).

        `masks` are the dropout masks of the two hidden layers, each (n, 1, H), already divided by
        the share they keep; members share them, which costs k times fewer random numbers.
        """
        members, features = self.adapter.shape
        width, rows = len(self.second), len(x)
        # (x * adapter[j]) @ first == x @ (adapter[j] * first): folding the adapters into the
        # weights makes one product of all members, and no k copies of x.
        folded = self.adapter.t()[:, :, None] * self.first[:, None, :]  # (D, k, H)
        hidden = x @ folded.reshape(features, members * width)  # (n, k·H)
        hidden = relu(hidden.view(rows, members, width) + self.first_bias)  # (n, k, H)
        if masks is not None:
            hidden = hidden * masks[0]
        hidden = relu(hidden @ self.second + self.second_bias)  # (n, k, H)
        if masks is not None:
            hidden = hidden * masks[1]
        return (hidden * self.head).sum(dim=2) + self.head_bias  # (n, k)

    @torch.no_grad()
    def logit(self, x: Tensor) -> Tensor:
        """The ensemble's logit, float64 (n,), of features float32 (n, D).

        The members' probabilities are averaged and the mean is turned back to a logit:
        ln Σ σ(z) - ln Σ σ(-z), which stays finite where the mean itself would round to 0 or 1.
        """
        blocks = [self(block).double() for block in torch.split(x, _BLOCK)]
        members = torch.cat(blocks)  # (n, k)
        return logsigmoid(members).logsumexp(dim=1) - logsigmoid(-members).logsumexp(dim=1)


def _uniform(generator: torch.Generator, *shape: int, fan_in: int) -> nn.Parameter:
    """Weights drawn evenly from ± 1/√fan_in, torch's own default for a linear layer."""
    unit = torch.rand(shape, generator=generator, dtype=torch.float32)
    return nn.Parameter((2.0 * unit - 1.0) / math.sqrt(fan_in))
