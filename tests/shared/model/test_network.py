"""The network against a naive twin that runs one member at a time."""

import torch
from torch import Tensor

from shared.model.network import Network


def twin(network: Network, x: Tensor, masks: tuple[Tensor, Tensor] | None = None) -> Tensor:
    """TabM-mini as the paper draws it: one plain perceptron per member, nothing folded."""
    out = []
    for member in range(len(network.head)):
        hidden = torch.relu((x * network.adapter[member]) @ network.first + network.first_bias)
        hidden = hidden if masks is None else hidden * masks[0][:, 0]
        hidden = torch.relu(hidden @ network.second + network.second_bias)
        hidden = hidden if masks is None else hidden * masks[1][:, 0]
        out.append(hidden @ network.head[member] + network.head_bias[member])
    return torch.stack(out, dim=1)


def rows(count: int, seed: int = 3) -> Tensor:
    return torch.rand(count, 11, generator=torch.Generator().manual_seed(seed))


def test_outputs_and_gradients_equal_the_naive_twin() -> None:
    """Folding the adapters into the weights changes neither the logits nor any gradient."""
    network, x = Network(11, seed=1, width=12, members=3), rows(20)
    masks = (rows(20, 4)[:, :1, None] * torch.ones(12), rows(20, 5)[:, :1, None] * torch.ones(12))
    for chosen in (None, masks):
        gradients = []
        for logits in (network(x, chosen), twin(network, x, chosen)):
            network.zero_grad()
            (logits.sigmoid() ** 2).sum().backward()
            gradients.append([p.grad.clone() for p in network.parameters() if p.grad is not None])
        torch.testing.assert_close(network(x, chosen), twin(network, x, chosen), atol=1e-5, rtol=0)
        assert len(gradients[0]) == 7
        for ours, theirs in zip(*gradients, strict=True):
            torch.testing.assert_close(ours, theirs, atol=1e-5, rtol=1e-5)


def test_logit_is_that_of_the_mean_probability() -> None:
    """`logit` averages probabilities, not logits, and does so over blocks of any number of rows."""
    network, x = Network(11, seed=1, width=12, members=3), rows(5000)
    mean = network(x).double().sigmoid().mean(dim=1)
    logit = network.logit(x)
    assert logit.dtype == torch.float64
    torch.testing.assert_close(logit.sigmoid(), mean, atol=1e-7, rtol=0)


def test_logit_stays_finite_when_members_are_certain() -> None:
    """A probability that rounds to one still has its logit."""
    network = Network(2, seed=1, width=4, members=2)
    with torch.no_grad():
        network.head.zero_()
        network.head_bias.fill_(60.0)
    torch.testing.assert_close(
        network.logit(torch.zeros(1, 2)), torch.tensor([60.0], dtype=torch.float64)
    )


def test_initial_weights_depend_on_the_seed_alone() -> None:
    """Torch's global generator is neither read nor moved."""
    torch.manual_seed(5)
    before = torch.get_rng_state()
    first = Network(11, seed=1)
    assert torch.equal(torch.get_rng_state(), before)
    torch.manual_seed(6)
    again, other = Network(11, seed=1), Network(11, seed=2)
    pairs = zip(first.parameters(), again.parameters(), strict=True)
    assert all(torch.equal(a, b) for a, b in pairs)
    assert not torch.equal(first.first, other.first)
    assert set(first.adapter.unique().tolist()) == {-1.0, 1.0}


def test_the_docstring_example_holds() -> None:
    """The example in the class's docstring runs as printed."""
    import doctest

    import shared.model.network as module

    result = doctest.testmod(module)
    assert result.attempted > 0
    assert result.failed == 0
