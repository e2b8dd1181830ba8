"""A lender that is revoked while a run is under way: out at once and named; the others finish.

Messages go the real way but for the network: what a lender sends or is sent passes the gate's own
admission, under its own transport certificate.
"""

from __future__ import annotations

import json
import secrets
import shutil
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from flwr.app import Message

import client.cli
from client.app import app
from client.desk import close_all
from server.authority import issue_transport
from server.cli import main
from server.consortium.lapsed import why_shut_out
from server.coordinator.attempt import attempt
from server.coordinator.checkpoint import StageRecord, records_in
from server.coordinator.exchange import VoidStageError
from server.coordinator.places import STAGES
from server.coordinator.status import Status, read_status
from server.deployment.admission import Admission
from server.deployment.node_keys import NodeKeys
from server.deployment.refused_request import RefusedRequestError
from server.deployment.runs import found_run
from server.keys import read_private
from server.revoked import RevokedCodes
from server.simulation.founding import KEY
from server.simulation.grid import InProcessGrid, _stage
from shared.identity.certificate import public_of
from shared.identity.node_key import new_node_key, node_public_of
from shared.identity.transport import new_transport_key, transport_public_of
from tests.deployment.consortium import TERMS
from tests.server.deployment.coordinator_folder import CoordinatorFolder, coordinator_in

OTHERS = ("L01", "L02", "L03", "L05")
Happens = Callable[[str], None]


def _now() -> datetime:
    return datetime.now(UTC)


class GatedGrid(InProcessGrid):
    """Only whom the gate admits is there, is heard and hears. `happens`: told each stage that is
    about to be asked.
    """

    def __init__(self, place: CoordinatorFolder, happens: Happens) -> None:
        super().__init__(app, place.lenders.homes)
        self._admission = Admission(
            place.authority.certificate,
            RevokedCodes(place.folder, frozenset()),
            NodeKeys(place.folder),
            _now,
        )
        self._shown = {home.name: _certificate(place, home.name) for home in place.lenders.homes}
        self._happens = happens

    def get_node_ids(self) -> list[int]:
        """Who can say that it lives."""
        return [node for node in super().get_node_ids() if self._passes(node)]

    def push_messages(self, messages: Iterable[Message]) -> list[str]:
        """As the base; a message to somebody who cannot fetch it lies there."""
        sent = list(messages)
        for message in sent:
            self._happens(_stage(message))
        return super().push_messages(sent)

    def pull_messages(self, message_ids: Iterable[str]) -> list[Message]:
        """Replies that came through."""
        found = super().pull_messages(message_ids)
        return [reply for reply in found if self._passes(reply.metadata.src_node_id)]

    def _passes(self, node: int) -> bool:
        code = Path(self._folder(node)).name
        try:
            return self._admission.lender(self._shown[code]) == code
        except RefusedRequestError:
            return False


def _certificate(place: CoordinatorFolder, code: str) -> bytes:
    public = transport_public_of(new_transport_key(secrets.token_bytes))
    return issue_transport(
        place.authority, code, "lender", public, days=30, now=_now(), random=secrets.token_bytes
    )


@pytest.fixture
def place(tmp_path: Path) -> Iterator[CoordinatorFolder]:
    """A coordinator's folder and five members, who have not begun."""
    made = coordinator_in(tmp_path)
    (made.folder / "consortium.toml").write_text(TERMS.format(gate=1, enrol=2))
    members = {
        home.name: {
            "public": public_of(read_private(home / KEY)).hex(),
            "node": node_public_of(new_node_key(secrets.token_bytes)).decode(),
            "joined": "2031-05-06",
        }
        for home in made.lenders.homes
    }
    (made.folder / "members.json").write_text(json.dumps(members))
    yield made
    close_all()


def _carried(place: CoordinatorFolder, name: str, seed: int, happens: Happens) -> Status:
    """How a run of that name ended, on terms that all lenders fetch."""
    run = found_run(place.folder, name, replace(place.agreement, seed=seed))
    for home in place.lenders.homes:  # as a lender's node fetches the terms at the gate
        shutil.copy(run / "agreement.json", home)
    close_all()
    grid = GatedGrid(place, happens)
    try:
        attempt(grid, run, resume=False, shut_out=why_shut_out(place.folder))
    except VoidStageError:
        pass
    finally:
        grid.close()
        close_all()
    status = read_status(run)
    assert status is not None
    return status


def _records(place: CoordinatorFolder, name: str) -> dict[str, StageRecord]:
    return {one.stage: one for one in records_in(place.folder / "runs" / name / STAGES)}


def test_the_others_finish_without_a_lender_revoked_in_mid_run(place: CoordinatorFolder) -> None:
    """`lianfang-server revoke` as trees begin: it is in no total from there on, named with the
    reason. Counts would lay it bare: they end the run, and a new one of the others finishes once
    they allow it. Positive control: up to then, under the same certificate, it was in all totals.
    """

    def revoke(stage: str) -> None:
        if stage == "trees/0" and not (place.folder / "revoked.json").exists():
            assert main(["revoke", str(place.folder), "L04"]) == 0

    status = _carried(place, "first", 1, revoke)
    records = _records(place, "first")
    assert [*records] == ["census", "refine", "bins", "trees/0", "trees/1"]
    for stage, record in records.items():
        without = stage.startswith("trees/")
        assert ("L04" in record.members) is not without
        assert record.missing == (("L04: it is revoked",) if without else ())
        assert {"L01", "L02", "L03", "L05"} <= {*record.members}
    assert (status.state, status.blamed) == ("failed", ("L04",))
    assert "L04: it is revoked" in status.error
    assert status.remedy == "L04 does not come back: start a new run without it"
    status = _carried(place, "second", 2, lambda stage: None)
    assert (status.state, status.blamed) == ("failed", OTHERS)  # until a person there allows it
    for home in place.lenders.homes:
        if home.name in OTHERS:
            words = ["terms", "allow", ",".join(OTHERS), "--folder", str(home), "--yes"]
            assert client.cli.main(words) == 0
    assert _carried(place, "third", 3, lambda stage: None).state == "finished"
    assert all(record.members == OTHERS for record in _records(place, "third").values())
