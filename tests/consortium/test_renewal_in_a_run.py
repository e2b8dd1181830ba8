"""Certificates that are renewed while a run is on: it goes on, and its model is the same."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

import pytest
from flwr.app import Message

from client import settings
from client.files import write_whole
from server.authority import issue, read_authority
from server.keys import COORDINATOR, read_private
from server.simulation.faults import Faults
from server.simulation.grid import InProcessGrid
from shared.identity.certificate import public_of
from shared.identity.pem import certificate_from_pem, certificate_to_pem
from tests.consortium_folders import now
from tests.federation import Consortium, founded_in, model_of


class RenewingGrid:
    """Renews one lender's certificate at a run's n-th question, while its node runs."""

    def __init__(self, consortium: Consortium, lender: str, at: int) -> None:
        self._consortium, self._lender, self._at = consortium, lender, at
        self.renewed: list[bytes] = []

    def __call__(self, grid: InProcessGrid) -> InProcessGrid:
        push = grid.push_messages

        def pushed(messages: Iterable[Message]) -> list[str]:
            self._at -= 1
            if self._at == 0:
                self._renew()
            return list(push(messages))

        grid.push_messages = pushed  # type: ignore[method-assign]
        return grid

    def _renew(self) -> None:
        run = self._consortium.folder
        home = run / "lenders" / self._lender
        authority = read_authority(run / "authority", now())
        public = public_of(read_private(home / "own" / "identity.key"))
        made = issue(
            authority, self._lender, "lender", public, days=5, now=now(), random=os.urandom
        )
        assert made != certificate_from_pem((home / "certificate.crt").read_bytes())
        write_whole(home / "certificate.crt", certificate_to_pem(made))
        self.renewed.append(made)


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The model of a plain run that nothing happens to."""
    folder = tmp_path_factory.mktemp("undisturbed renewal") / "run"
    return model_of(founded_in(folder, sums="plain").conducted())


@pytest.mark.parametrize("at", [1, 4, 7, 12])
def test_a_lender_renewed_in_the_middle_of_a_run_stays_in_it(
    tmp_path: Path, undisturbed: str, at: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whichever question comes next, the new certificate over the same key is accepted: same model,
    nobody missing, nothing refused. The node read it without being started anew.
    """
    consortium = founded_in(tmp_path / "run")
    grid, read = RenewingGrid(consortium, "L02", at), []
    known = settings.read_identity

    def reading(path: Path, *more: object) -> object:
        found = known(path, *more)  # type: ignore[arg-type]
        read.append(found.member.certificate)
        return found

    monkeypatch.setattr(settings, "read_identity", reading)
    run = consortium.conducted(wrapped=grid)
    assert grid.renewed[0] in read
    assert model_of(run) == undisturbed
    assert not (consortium.folder / "refusals").exists()


def test_a_coordinator_renewed_between_stop_and_resume_is_believed(
    tmp_path: Path, undisturbed: str
) -> None:
    """Lenders pinned nothing of it but its authority."""
    consortium = founded_in(tmp_path / "run")
    stopped = Faults()
    rounds = {"left": 5}

    class StopError(Exception):
        pass

    def stopping(grid: InProcessGrid) -> InProcessGrid:
        push = grid.push_messages

        def pushed(messages: Iterable[Message]) -> list[str]:
            rounds["left"] -= 1
            if rounds["left"] == 0:
                raise StopError
            return list(push(messages))

        grid.push_messages = pushed  # type: ignore[method-assign]
        return grid

    with pytest.raises(StopError):
        consortium.conducted(faults=stopped, wrapped=stopping)
    run = consortium.folder
    authority = read_authority(run / "authority", now())
    public = public_of(read_private(run / "coordinator.key"))
    made = issue(
        authority, "coordinator", "coordinator", public, days=9, now=now(), random=os.urandom
    )
    write_whole(run / COORDINATOR, certificate_to_pem(made))
    assert model_of(consortium.conducted(resume=True)) == undisturbed
