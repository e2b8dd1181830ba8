"""Pages without pictures: where others have drawn the same ones, and nobody looks at these."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from matplotlib.figure import Figure

from server.report import svg


@pytest.fixture
def undrawn(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each picture is an empty one."""

    def frame(
        name: str, description: str, size: tuple[float, float], paint: Callable[[Figure], None]
    ) -> str:
        return svg._embed("<svg>", name, description, size)

    monkeypatch.setattr(svg, "draw", frame)
