"""The disk of a run's stage files fails: nothing is handed out that is not durable."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest

import server.coordinator.checkpoint
from server.coordinator.checkpoint import Checkpoints
from server.files import write_durably
from shared.errors import OperatorError
from tests.federation import Consortium, founded_in, model_of

FIRST = ["00000.stage", "00001.stage"]


@pytest.fixture(scope="module")
def consortium(tmp_path_factory: pytest.TempPathFactory) -> Consortium:
    """Five lenders under the secure sum."""
    return founded_in(tmp_path_factory.mktemp("disk") / "run")


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The model of a run that nothing happens to."""
    return model_of(founded_in(tmp_path_factory.mktemp("sound") / "run", sums="plain").conducted())


def _asked(consortium: Consortium) -> list[str]:
    """The stages that lenders were asked for, set-ups aside, until the run ends with an error."""
    asked: list[str] = []

    def noting(grid):  # type: ignore[no-untyped-def]
        push = grid.push_messages

        def noted(messages):  # type: ignore[no-untyped-def]
            messages = list(messages)
            asked.extend(str(message.content["ask"]["stage"]) for message in messages)
            return push(messages)

        grid.push_messages = noted
        return grid

    with pytest.raises(OperatorError, match="cannot be written to: Input/output error"):
        consortium.conducted(wrapped=noting)
    stages = [stage.removesuffix("/unmask") for stage in asked if not stage.startswith("set-up")]
    return list(dict.fromkeys(stages))


def _of_a_stage(stages: Path, handle: int) -> bool:
    path = os.readlink(f"/proc/self/fd/{handle}")
    return path == str(stages) or path.startswith(f"{stages}{os.sep}")


def _failing(stages: Path, at: str) -> Callable[[int], None]:
    """fsync of the third stage's file, or of its folder with the file in its place, fails."""

    def fsync(handle: int) -> None:
        there = len(list(stages.glob("*.stage")))
        folder = os.readlink(f"/proc/self/fd/{handle}") == str(stages)
        if _of_a_stage(stages, handle) and (there, folder) == ((3, True) if at else (2, False)):
            raise OSError(errno.EIO, os.strerror(errno.EIO))

    return fsync


@pytest.mark.parametrize("at", ["", "folder"], ids=["its_file", "its_folder"])
def test_after_an_input_output_error_nothing_is_handed_out(
    at: str, consortium: Consortium, undisturbed: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of a stage's file, or of its folder with the file in its place: no lender is asked for the
    next stage, and the run goes on with the disk mended, to the undisturbed model.
    """
    stages = consortium.folder / "stages"
    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", _failing(stages, at))
        asked = _asked(consortium)
    assert asked == ["census", "refine", "bins"]
    expected = [*FIRST, "00002.stage"] if at else FIRST
    assert [path.name for path in Checkpoints(stages).paths()] == expected
    assert model_of(consortium.conducted(resume=True)) == undisturbed


def test_a_store_that_hides_the_error_hands_out_what_is_not_durable(
    consortium: Consortium, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The control: lenders are asked for the next stage, and the total before it is nowhere."""

    def hiding(path: Path, content: bytes) -> None:
        with suppress(OSError):
            write_durably(path, content)

    stages = consortium.folder / "stages"
    failing = _failing(stages, "")
    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", failing)
        patch.setattr(server.coordinator.checkpoint, "write_durably", hiding)
        run = consortium.conducted()
    assert run.finished
    assert [path.name for path in Checkpoints(stages).paths()] == FIRST
