"""Who filed what, who asked what: classifiers on all that an observer can see of rows and requests.

Observers: a member that reads the published changes; the network, which sees sizes and times of
messages and, say behind a shared proxy, not who sends them; a key holder, which sees points.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder

from client.exchange.holders import Asking, Holders
from server.registry.publishing import AT_ONCE, Batches
from shared.blacklist.rows import Row
from shared.tokens.evaluation import SUITE, blind
from shared.tokens.keys import KeySet
from shared.wire import keyholder_pb2 as wire
from tests.blacklist_members import tag_of, token
from tests.dealt_keys import deal
from tests.identities import fixed_random
from tests.list_registry import Served
from tests.server.keyholder.key_holders import (
    CONTEXT,
    GROUP,
    TRUST,
    Local,
    LocalDoor,
    locals_of,
    relay_between,
)

MARGIN = 0.05
SURE = 0.9


def accuracy(features: Sequence[Sequence[object]], truth: Sequence[object]) -> float:
    """Of logistic regression on categories, learned on the first two thirds, tried on the rest."""
    split = 2 * len(truth) // 3
    table, names = np.array(features, dtype=str), np.array(truth, dtype=str)
    model = make_pipeline(OneHotEncoder(handle_unknown="ignore"), LogisticRegression(max_iter=300))
    model.fit(table[:split], names[:split])
    return float(model.score(table[split:], names[split:]))


@pytest.mark.parametrize("batched", [True, False])
def test_who_filed_what(tmp_path: Path, batched: bool) -> None:
    """Three members who file at their own hours, in their own numbers and order: version, place and
    size of the rows in the changes name the contributor no better than 1/3 + 5 points. Published at
    once, in order of arrival, they do (control).
    """
    rule = Batches(seconds=0, contributors=3) if batched else AT_ONCE
    served = Served(f"sqlite:///{tmp_path / 'registry.db'}", batches=rule)
    served.found()
    served.publish()
    truth: dict[bytes, str] = {}
    for day in range(15):
        for place, lender in enumerate([served.a, served.b, served.c]):
            names = [f"{lender.code} {day} {number}" for number in range(12)]
            truth |= {tag_of(f"resident_id|{name}"): lender.code for name in names}
            served.active(lender, names[0], tokens=tuple(token(name) for name in names))
            if not batched:
                served.publish()
            served.clock.forward(hours=4 + place)
        served.publish()
        served.clock.forward(hours=9)
    features, whose, number = [], [], 0
    for version in served.registry.versions_since(1):
        rows = version.changes or []
        number += bool(rows)
        for place, change in enumerate(rows):
            features.append((number % 3, 4 * place // len(rows), len(rows) // 12, len(change)))
            whose.append(truth[Row(change[1:33], change[38:], 1).tag])
    served.close()
    assert len(whose) == 15 * 36
    found = accuracy(features, whose)
    assert found <= 1 / 3 + MARGIN if batched else found > SURE


@dataclass(frozen=True)
class Member:
    """Its habits: how many identifiers of an applicant it asks for, how it writes references."""

    code: str
    identifiers: int
    reference: str
    purpose: str


MEMBERS = (
    Member("L01", 1, "{}", "application"),
    Member("L02", 2, "APPL-{:012}", "application"),
    Member("L03", 4, "branch-17/application/{:06}", "portfolio"),
    Member("L04", 6, "{:040}", "dispute"),
)


class Tapped(LocalDoor):
    """A door whose messages are seen on their way."""

    def __init__(self, local: Local, seen: list[wire.EvaluateRequest]) -> None:
        super().__init__(local)
        self._seen = seen

    def evaluate(self, request: wire.EvaluateRequest) -> wire.EvaluateReply:
        self._seen.append(request)
        return super().evaluate(request)


@pytest.fixture
def lender(tmp_path: Path) -> Iterator[tuple[Holders, list[wire.EvaluateRequest]]]:
    """A lender's real end, and what it sends."""
    purposes = ("application", "portfolio", "dispute")
    holders = locals_of(tmp_path, quotas=dict.fromkeys(purposes, 10**9))
    relay_between(holders).generate()
    seen: list[wire.EvaluateRequest] = []
    doors = {code: Tapped(one, seen) for code, one in holders.items()}
    made = Holders(doors, tmp_path / "own", CONTEXT, TRUST, GROUP, fixed_random("lender"))
    yield made, seen
    made.close()


Asked = list[tuple[Member, wire.EvaluateRequest]]


def day_of_lookups(lender: tuple[Holders, list[wire.EvaluateRequest]], count: int) -> Asked:
    """Applications as they come in, any member's at any time; a request of each."""
    holders, seen = lender
    order = np.random.default_rng(5).permutation(count * len(MEMBERS)) % len(MEMBERS)
    asked: Asked = []
    for number, which in enumerate(order):
        member = MEMBERS[which]
        inputs = [b"%d %d" % (number, one) for one in range(member.identifiers)]
        asking = Asking(member.purpose, member.reference.format(number))
        holders.outputs(inputs, asking)
        asked.append((member, seen[-1]))
    return asked


def sizes(asked: Asked, size: Callable[[Member, wire.EvaluateRequest], int]) -> float:
    """Accuracy of naming the member by size and order (hour and turn) of its requests."""
    features = [
        (size(member, request), number // 10, number % 4)
        for number, (member, request) in enumerate(asked)
    ]
    return accuracy(features, [member.code for member, _ in asked])


def test_who_asked_by_size_and_order(lender: tuple[Holders, list[wire.EvaluateRequest]]) -> None:
    """Four members with other numbers of identifiers, purposes and references: their requests are
    of one size, and name no member better than 1/4 + 5 points. Without fillers, or without zeros
    beside the points, the size alone does (controls).
    """
    asked = day_of_lookups(lender, 60)
    assert len({request.ByteSize() for _, request in asked}) == 1
    assert sizes(asked, lambda _, request: request.ByteSize()) <= 1 / len(MEMBERS) + MARGIN
    assert sizes(asked, lambda member, _: 32 * member.identifiers) > SURE
    assert sizes(asked, lambda _, request: request.ByteSize() - len(request.padding)) > SURE


def test_the_size_of_a_book_shows_roughly() -> None:
    """What tokens.md does not promise: one of four sizes, so one application and a book differ."""
    counts = {1: 8, 7: 8, 8: 64, 63: 64, 500: 512, 4095: 4096}
    share = _keys()
    for count, size in counts.items():
        inputs = [b"%d" % number for number in range(count)]
        assert len(blind(GROUP, share, inputs, fixed_random("book")).points) == size


def _keys() -> KeySet:
    return deal(GROUP, CONTEXT, 1, 2, 3, fixed_random("keys"))[0].keys


@pytest.mark.parametrize("blinded", [True, False])
def test_which_subject_is_asked_about(blinded: bool) -> None:
    """Ten subjects, each looked up thirty times: from the points a holder recognises no subject
    better than 1/10 + 5 points (nearest neighbour on the bytes). Without blinds, always (control).
    """
    rng, keys = np.random.default_rng(7), _keys()
    random = fixed_random("blinds")
    which = rng.permutation(300) % 10
    points = []
    for number in which:
        subject = [b"subject %d" % number]
        if blinded:
            points.append(blind(GROUP, keys, subject, random).points[-1])
        else:
            points.append(SUITE.hash_to_group(GROUP, subject)[0])
    model = KNeighborsClassifier(1).fit(np.array(points[:200], float), which[:200])
    found = model.score(np.array(points[200:], float), which[200:])
    assert found <= 1 / 10 + MARGIN if blinded else found == 1
