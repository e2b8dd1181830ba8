"""What a desk says of a case's standing, and of what is shared, is taken as it signed it only."""

from __future__ import annotations

from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path
from typing import Any

import grpc
import numpy as np
import pytest

import client.rings.case_desk as case_desk
from client.rings.case_desk import CaseDeskClient
from server.cases.service import Service
from shared.cases.case import Case
from shared.cases.pages import count_room
from shared.cases.said import SaidShared, SaidStanding
from shared.errors import PeerError
from shared.secure_sum.encoding import read_text
from shared.wire import cases_pb2 as wire
from tests.case_lenders import AUTHORITY, Desks, Lender
from tests.client.rings.near_desk import Anybody


class Between:
    """Who stands between lender and desk, and may change what comes."""

    def __init__(self, service: Service) -> None:
        self._service = service
        self.week = self.stage = self.ids = None

    def Cases(self, request: Any, timeout: float) -> Any:  # noqa: N802
        reply = self._service.Cases(request, "L01")  # type: ignore[arg-type]
        (one,) = reply.cases
        said = one.standing.decode()
        if self.stage is not None:
            said = said.replace('"stage":"edges"', f'"stage":"{self.stage}"')
        one.standing = said.encode()
        return reply

    def Told(self, request: Any, timeout: float) -> Iterator[Any]:  # noqa: N802
        for chunk in self._service.Told(request, "L01"):  # type: ignore[arg-type]
            ids = chunk.ids if self.ids is None else self.ids
            yield wire.ToldChunk(ids=ids, said=chunk.said)


@pytest.fixture
def told(tmp_path: Path) -> Iterator[tuple[CaseDeskClient, Between, Case]]:
    """A case whose first count is closed."""
    desks = Desks(tmp_path / "desk")
    case = desks.open()
    desks.at(0, 1)
    for code in ("L01", "L02", "L03"):
        (page,) = Lender(code).count_pages(case, 0)
        desks.desk.submit(code, case.id, "count", page)
    desks.at(0, 24)
    desks.desk.tick()
    channel: Any = grpc.insecure_channel("127.0.0.1:9")
    with channel:
        asked = CaseDeskClient(channel, "D1", AUTHORITY.certificate, "L01", clock=desks.clock)
        between = Between(Service(desks.desk, Anybody()))  # type: ignore[arg-type]
        asked._stub = between
        yield asked, between, case
    desks.store.close()


def test_a_changed_standing_is_refused_and_would_be_believed(
    told: tuple[CaseDeskClient, Between, Case], monkeypatch: pytest.MonkeyPatch
) -> None:
    """As the desk said it (control) it is taken; without the check the change is, too."""
    asked, between, _ = told
    assert asked.cases()[0].stage == "edges"
    between.stage = "count"  # type: ignore[assignment]
    with pytest.raises(PeerError):
        asked.cases()

    def believed(text: bytes, *_: object) -> SaidStanding:
        return read_text(SaidStanding, text)

    monkeypatch.setattr(case_desk, "read_standing", believed)
    assert asked.cases()[0].stage == "count"


def test_changed_ids_are_refused_and_would_be_believed(
    told: tuple[CaseDeskClient, Between, Case], monkeypatch: pytest.MonkeyPatch
) -> None:
    """So nobody on the way makes a lender send edges of what only it has."""
    asked, between, case = told
    assert len(asked.told(case, 0).ids) == count_room(case)
    wanted = sha256(b"what only L01 has").digest()
    between.ids = wanted * count_room(case)  # type: ignore[assignment]
    with pytest.raises(PeerError, match="something else than it signed"):
        asked.told(case, 0)
    with pytest.raises(PeerError):
        asked.told(case, 1)

    def believed(text: bytes, *_: object) -> SaidShared:
        return read_text(SaidShared, text)

    monkeypatch.setattr(case_desk, "read_shared", believed)
    assert np.unique(asked.told(case, 0).ids, axis=0).tobytes() == wanted


def test_nothing_told_is_no_word(told: tuple[CaseDeskClient, Between, Case]) -> None:
    """A stream without a signed word, as before the first count, is refused."""
    asked, between, case = told

    def nothing(request: Any, timeout: float) -> Iterator[Any]:
        yield from ()

    between.Told = nothing  # type: ignore[method-assign]
    with pytest.raises(PeerError):
        asked.told(case, 0)
