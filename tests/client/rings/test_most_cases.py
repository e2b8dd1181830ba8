"""As many cases as a desk opens, its lenders read; more it does not open."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from client.rings import case_desk
from client.rings.case_desk import CaseDeskClient
from server.cases import store
from server.cases.service import Service
from server.cases.settings import Settings
from shared.cases.case import MOST_CASES
from shared.errors import OperatorError, PeerError
from tests.case_lenders import AUTHORITY, Desks


class Anybody:
    """Stands for certificates."""

    def of(self, _context: object, _roles: object) -> Any:
        return SimpleNamespace(code="L01")


class Near:
    """A channel to a service in this process."""

    def __init__(self, desks: Desks) -> None:
        self._service = Service(desks.desk, Anybody())  # type: ignore[arg-type]

    def unary_unary(self, path: str, **_: object) -> Callable[..., Any]:
        answer = getattr(self._service, path.rpartition("/")[2])
        return lambda request, timeout: answer(request, None)

    unary_stream = unary_unary


def lender(desks: Desks) -> CaseDeskClient:
    near: Any = Near(desks)
    return CaseDeskClient(near, "D1", AUTHORITY.certificate, "L01", clock=desks.clock)


@pytest.fixture
def full(tmp_path: Path) -> Desks:
    """A desk with as many cases as there may be, one of them of one week."""
    desks = Desks(tmp_path / "desk", settings=Settings(profile="demo"))
    for number in range(MOST_CASES):
        desks.open(weeks=4 if number else 1)
    return desks


def test_a_case_more_than_lenders_read_is_not_opened(
    full: Desks, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The desk's operator is told, and lenders read on; were it opened (the control), no lender
    would read any case any more.
    """
    with pytest.raises(OperatorError, match="no other was opened"):
        full.open()
    assert len(lender(full).cases()) == MOST_CASES == len(full.desk.standings())
    monkeypatch.setattr(store, "MOST_CASES", MOST_CASES + 1)
    full.open()
    with pytest.raises(PeerError, match="more cases"):
        lender(full).cases()
    monkeypatch.setattr(case_desk, "MOST_CASES", MOST_CASES + 1)
    assert len(lender(full).cases()) == MOST_CASES + 1


def test_a_forgotten_case_makes_room_and_is_not_named_to_lenders(full: Desks) -> None:
    """Its operator still sees it."""
    (gone, *_) = [one.signed.case for one in full.desk.standings() if one.signed.case.weeks == 1]
    full.store.forget(gone.id)
    assert gone.id not in {one.signed.case.id for one in lender(full).cases()}
    new = full.open()
    assert new.id in {one.signed.case.id for one in lender(full).cases()}
    assert [one.stage for one in full.desk.standings() if one.signed.case == gone] == ["forgotten"]
