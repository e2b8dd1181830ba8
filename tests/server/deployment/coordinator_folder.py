"""A coordinator's folder with lenders beside it, and a SuperLink that is only pretended.

Runs are conducted by the real apps over the in-process grid, when a test says so.
"""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from client.app import app as client_app
from client.desk import close_all
from server.actor import write_actor
from server.authority import Authority, read_authority
from server.coordinator.attempt import attempt
from server.coordinator.rounds import read_agreement
from server.deployment.control import FlowerNode, FlowerRun, Value
from server.keys import AUTHORITY, COORDINATOR, COORDINATOR_KEY
from server.simulation.faults import Faults, parse_fault
from server.simulation.founding import now
from server.simulation.grid import InProcessGrid
from shared.training.agreement import Agreement
from tests.federation import Consortium, founded_in
from tests.identities import fixed_random


@dataclass
class PretendedSuperLink:
    """Takes what `Control` asks. Runs stay pending until `CoordinatorFolder.carry`."""

    configs: list[dict[str, Value]] = field(default_factory=list)
    ended: dict[int, str] = field(default_factory=dict)
    online: list[FlowerNode] = field(default_factory=list)

    def start(self, bundle: bytes, config: Mapping[str, Value]) -> int:
        self.configs.append(dict(config))
        return len(self.configs)

    def stop(self, number: int) -> None:
        self.ended.setdefault(number, "stopped")

    def nodes(self) -> list[FlowerNode]:
        return self.online

    def run(self, number: int) -> FlowerRun | None:
        if number > len(self.configs):
            return None
        return FlowerRun(number, "", self.ended.get(number, ""))


@dataclass
class CoordinatorFolder:
    """`folder`: the coordinator's; `lenders`: a founded consortium whose folders answer."""

    folder: Path
    lenders: Consortium
    superlink: PretendedSuperLink = field(default_factory=PretendedSuperLink)

    @property
    def agreement(self) -> Agreement:
        """Terms that the lenders hold."""
        return self.lenders.agreement

    @property
    def authority(self) -> Authority:
        """Which certified all of them."""
        return read_authority(self.lenders.folder / "authority", now())

    def operator(self, code: str) -> Path:
        """A new operator's folder."""
        home = self.folder.parent / code
        random = fixed_random(f"operator {code}")
        write_actor(home, self.authority, code, "operator", days=30, now=now(), random=random)
        return home

    def carry(self, *faults: str) -> None:
        """Conduct what was started last, as the run's process does."""
        config, number = self.superlink.configs[-1], len(self.superlink.configs)
        close_all()
        grid = InProcessGrid(
            client_app,
            self.lenders.homes,
            workers=2,
            faults=Faults(tuple(map(parse_fault, faults))),
        )
        try:
            attempt(
                grid,
                Path(str(config["run-directory"])),
                resume=bool(config["resume"]),
                patience=1.0 if faults else 60.0,  # nobody is missed for the machine is busy
                flower_run=number,
            )
            self.superlink.ended[number] = "completed"
        finally:
            self.superlink.ended.setdefault(number, "failed")
            grid.close()
            close_all()


def coordinator_in(home: Path) -> CoordinatorFolder:
    """A founded consortium, its coordinator's folder, and nothing started."""
    lenders, folder = founded_in(home / "lenders"), home / "coordinator"
    folder.mkdir()
    for name in (AUTHORITY, COORDINATOR, COORDINATOR_KEY):
        shutil.copy2(lenders.folder / name, folder / name)
    (folder / "bundle").mkdir()
    (folder / "bundle" / "lianfang.fab").write_bytes(b"a bundle")
    (folder / "flower").mkdir()
    assert read_agreement(lenders.folder) == lenders.agreement
    return CoordinatorFolder(folder, lenders)
