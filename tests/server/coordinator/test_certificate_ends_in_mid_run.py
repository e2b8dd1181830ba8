"""A lender's certificate ends after the set-up that it is in was made, and the coordinator is
started again: the lender, at work under a renewed one, is the same member.
"""

from __future__ import annotations

import secrets
from datetime import UTC, datetime, timedelta
from pathlib import Path
from unittest.mock import patch

import pytest

from client.app import app
from client.desk import close_all
from server.authority import issue, read_authority
from server.coordinator.exchange import VoidStageError
from server.coordinator.rounds import conduct
from server.keys import read_certificate
from server.simulation.grid import InProcessGrid
from shared.identity.certificate import read_member
from shared.identity.pem import certificate_to_pem
from tests.federation import PATIENT, Consortium, Hurried, founded_in, model_of


class CutError(Exception):
    """The coordinator's process ends here."""


def _ends_in_an_hour(consortium: Consortium, home: Path) -> None:
    now = datetime.now(UTC)
    authority = read_authority(consortium.folder / "authority", now)
    own = read_member(read_certificate(home / "certificate.crt"), authority.certificate, now)
    about = {"days": 1, "now": now, "random": secrets.token_bytes}
    with patch("server.authority._last", lambda now, days: now + timedelta(hours=1)):
        made = issue(authority, own.code, own.role, own.public, **about)
    (home / "certificate.crt").write_bytes(certificate_to_pem(made))


def _conducted(consortium: Consortium, hours: int, *, resume: bool, cut: str = "") -> str:
    """The model's digest, by a clock so far ahead at the coordinator; `cut`: the exchange in which
    its process ends.
    """
    grid = InProcessGrid(app, consortium.homes, workers=2)
    push, time_of_run = grid.push_messages, Hurried(grid)

    def pushed(messages):  # type: ignore[no-untyped-def]
        messages = list(messages)
        if cut in {str(message.content["ask"]["stage"]) for message in messages}:
            raise CutError
        return push(messages)

    grid.push_messages = pushed  # type: ignore[method-assign]
    now = lambda: datetime.now(UTC) + timedelta(hours=hours)  # noqa: E731
    run = {"resume": resume, "clock": time_of_run.clock, "sleep": time_of_run.sleep, "now": now}
    try:
        return model_of(conduct(grid, consortium.folder, PATIENT, **run))
    finally:
        grid.close()
        close_all()


def test_a_run_goes_on_when_a_certificate_of_its_set_up_has_ended(tmp_path: Path) -> None:
    """Two hours later. Positive control: in a new set-up that certificate is refused."""
    consortium = founded_in(tmp_path / "run")
    undisturbed = model_of(consortium.conducted())
    consortium.lenders_forget()
    consortium.coordinator_forgets()
    for home in consortium.homes:
        _ends_in_an_hour(consortium, home)
    with pytest.raises(CutError):
        _conducted(consortium, 0, resume=False, cut="trees/1")
    assert _conducted(consortium, 2, resume=True) == undisturbed
    consortium.lenders_forget()
    consortium.coordinator_forgets()
    with pytest.raises(VoidStageError, match="certificate is expired since"):
        _conducted(consortium, 2, resume=False)
