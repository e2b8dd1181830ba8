"""A researcher with the tiny consortium's table and a study over it."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from matplotlib.figure import Figure
from researcher import NO_EXTRAS, Desk, read_report

import simulate
from client.desk import close_all
from server.report import svg


@pytest.fixture
def desk(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Iterator[Desk]:
    made = Desk(tmp_path, capsys)
    made.write()
    yield made
    close_all()


@pytest.fixture
def undrawn(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pages with empty pictures: where others have drawn the same study, and nobody looks."""

    def frame(
        name: str, description: str, size: tuple[float, float], paint: Callable[[Figure], None]
    ) -> str:
        return svg._embed("<svg>", name, description, size)

    monkeypatch.setattr(svg, "draw", frame)


@pytest.fixture(scope="session")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """report.json of the usual study, to which nothing happens."""
    made = Desk(tmp_path_factory.mktemp("undisturbed"), None)
    made.write()
    assert simulate.main(["--config", str(made.config), "--out", str(made.out), *NO_EXTRAS]) == 0
    close_all()
    return read_report(made.out)
