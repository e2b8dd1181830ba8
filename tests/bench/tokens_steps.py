"""What tokens cost for each item, step by step, beside what no lender can avoid."""

from __future__ import annotations

import secrets
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from statistics import median

import numpy as np

from shared.tokens.evaluation import (
    MOST_INPUTS,
    SUITE,
    Evaluation,
    Request,
    _proof_holds,
    blind,
    evaluate,
    finish,
)
from shared.tokens.fastest import fastest_group
from shared.tokens.group import Group, random_numbers, scalars_of
from shared.tokens.keys import KeySet, KeyShare
from shared.tokens.oprf import finalize
from shared.tokens.sharing import commitments, public_share, share

QUORUM = (1, 3, 5)
HOLDERS = 5


@dataclass
class Times:
    """Processor microseconds of each step, one number a round."""

    found: dict[str, list[float]] = field(default_factory=dict)

    @contextmanager
    def of(self, name: str) -> Iterator[None]:
        """Measure all threads of this process during the block."""
        start = time.process_time()
        yield
        self.found.setdefault(name, []).append((time.process_time() - start) * 1e6)

    def each(self, items: int) -> dict[str, float]:
        """Median over rounds, per item."""
        return {name: median(values) / items for name, values in self.found.items()}


def dealt(group: Group) -> tuple[KeySet, dict[int, KeyShare]]:
    """A 3-of-5 key for measuring; no real key is made this way."""
    coefficients = random_numbers(len(QUORUM), secrets.token_bytes)
    committed, everyone = commitments(group, coefficients), range(1, HOLDERS + 1)
    publics = tuple(public_share(group, committed, index).tobytes() for index in everyone)
    keys = KeySet("bench", 1, 0, len(QUORUM), committed[0].tobytes(), publics)
    return keys, {index: KeyShare(keys, index, share(coefficients, index)) for index in everyone}


def inputs_of(start: int, stop: int, step: int = 1) -> list[bytes]:
    """Inputs as long as those of resident identity numbers."""
    return [b"bench|v1|cn_id|%018d" % (number * step) for number in range(start, stop)]


def steps(rounds: int, items: int = MOST_INPUTS) -> dict[str, float]:
    """Microseconds per item of every step, `unavoidable_us` measured in the same rounds."""
    group, times = fastest_group(), Times()
    keys, shares = dealt(group)
    for number in range(rounds):
        inputs = inputs_of(number * items, (number + 1) * items)
        with times.of("blind"):
            own = blind(group, keys, inputs, secrets.token_bytes)
        request, answers = own.request(QUORUM), {}
        for index in QUORUM:
            with times.of("evaluate"):
                answers[index] = evaluate(group, shares[index], request, secrets.token_bytes)
        with times.of("finish"):
            finish(group, keys, own, request, answers, inputs)
        _parts(group, times, inputs, answers)
        _checks(group, times, keys, request, answers)
    return _named(times.each(items))


def _parts(group: Group, times: Times, inputs: list[bytes], answers: dict[int, Evaluation]) -> None:
    rows = [answer.points[-len(inputs) :] for answer in answers.values()]
    numbers = scalars_of(random_numbers(len(inputs), secrets.token_bytes))
    uniform = SUITE.uniform(inputs)
    with times.of("unavoidable"):
        elements = group.from_uniform(uniform)
        for _ in range(2):
            elements = group.multiply(elements, numbers)
    with times.of("combine"):
        group.add_all(rows)
    with times.of("unblind"):
        finalize(inputs, group.multiply(elements, numbers))
    with times.of("total"):
        group.total(elements)


def _checks(
    group: Group,
    times: Times,
    keys: KeySet,
    request: Request,
    answers: dict[int, Evaluation],
) -> None:
    """What a lender does only to be sure: every holder's proof, and both sides of the sum."""
    points = request.points
    with times.of("verify"):
        for index, answer in answers.items():
            if not _proof_holds(group, keys, request, index, answer):
                raise AssertionError("an honest holder's proof does not hold")
        for _ in range(2):
            group.total(points)


def _named(each: dict[str, float]) -> dict[str, float]:
    """`lender`: blind, combine and finalise; `lender_all`: all that a lender does, measured as a
    whole, with the verification, which none leaves out.
    """
    blinded = each["blind"] - each["total"]
    return {
        "blind_us": blinded,
        "holder_us": each["evaluate"],
        "combine_us": each["combine"],
        "verify_us": each["verify"],
        "finalise_us": each["unblind"],
        "lender_us": blinded + each["combine"] + each["unblind"],
        "lender_all_us": each["blind"] + each["finish"],
        "unavoidable_us": each["unavoidable"],
    }


def two_cores(items: int) -> float:
    """How many times faster two threads multiply than one, by the clock: on an idle machine near 2,
    on a busy one below. Best of nine each, in turn.
    """
    numbers = scalars_of(random_numbers(items, secrets.token_bytes))
    points = fastest_group().multiply_base(numbers)
    with ThreadPoolExecutor(2) as pool:
        sides = {"one": fastest_group(), "two": fastest_group(pool.map)}
        best = dict.fromkeys(sides, np.inf)
        for _ in range(9):
            for name, group in sides.items():
                start = time.perf_counter()
                group.multiply(points, numbers)
                best[name] = min(best[name], time.perf_counter() - start)
    return float(best["one"] / best["two"])
