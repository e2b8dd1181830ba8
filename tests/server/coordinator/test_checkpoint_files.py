"""A stage's file: what it gives back, and that a damaged one is named and never served."""

import shutil
from pathlib import Path

import numpy as np
import pytest
from safetensors import safe_open
from safetensors.numpy import save_file
from scripted_grid import TERMS

from server.coordinator.checkpoint import Checkpoints, StageRecord
from shared.errors import OperatorError
from shared.training.agreement import Agreement
from shared.training.run import Run


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Three stages of a run, written."""
    _written(tmp_path / "stages", TERMS)
    return tmp_path / "stages"


def _written(folder: Path, terms: Agreement) -> tuple[Run, list[np.ndarray], list[StageRecord]]:
    run, checkpoints = Run(terms), Checkpoints(folder)
    totals, records = [], []
    for number in range(3):
        question = run.question()
        total = np.zeros(question.length, dtype=np.int64)
        if question.stage == "census":
            total[:5], total[5 + 3] = (10, 4, 1, 2, 1), 2  # two lenders of 4 to 7 rows
        run.absorb(total)
        record = StageRecord(question.stage, ("L01", "L02"), ("L03: unavailable",), 5, 9, 8, 0.5)
        checkpoints.write(number, total, record, run.digest)
        totals.append(total)
        records.append(record)
    return run, totals, records


def test_what_was_written_comes_back_and_brings_a_run_to_the_same_point(tmp_path: Path):
    written, totals, records = _written(tmp_path, TERMS)
    run = Run(TERMS)
    read_totals, read_records = Checkpoints(tmp_path).replay(run)
    assert all(np.array_equal(a, b) for a, b in zip(read_totals, totals, strict=True))
    assert read_records == records
    assert (run.digest, run.absorbed) == (written.digest, 3)


def test_an_empty_folder_is_the_beginning_of_a_run(tmp_path: Path):
    run = Run(TERMS)
    assert Checkpoints(tmp_path / "new").replay(run) == ([], [])
    assert run.absorbed == 0


def test_the_last_stages_may_be_missing_that_is_an_earlier_point(folder: Path):
    (folder / "00002.stage").unlink()
    run = Run(TERMS)
    Checkpoints(folder).replay(run)
    assert run.question().stage == "bins"


def test_a_partial_file_left_behind_is_ignored_and_forgotten_with_the_run(folder: Path):
    (folder / "00003.stage.partial").write_bytes(b"half")
    checkpoints, run = Checkpoints(folder), Run(TERMS)
    checkpoints.replay(run)
    assert run.absorbed == 3
    checkpoints.clear()
    assert list(folder.iterdir()) == []


def _cut(folder: Path) -> None:
    path = folder / "00001.stage"
    path.write_bytes(path.read_bytes()[:-8])


def _emptied(folder: Path) -> None:
    (folder / "00001.stage").write_bytes(b"")


def _flipped(folder: Path) -> None:
    path = folder / "00001.stage"
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(bytes(content))


def _edited_record(folder: Path) -> None:
    path = folder / "00001.stage"
    with safe_open(path, framework="numpy") as file:
        about, total = file.metadata(), file.get_tensor("total")
    about["record"] = about["record"].replace("L02", "L09")
    save_file({"total": total}, path, metadata=about)


def _without_record(folder: Path) -> None:
    save_file({"total": np.zeros(3, dtype=np.int64)}, folder / "00001.stage", metadata={"a": "b"})


def _another_tensor(folder: Path) -> None:
    save_file({"sum": np.zeros(3, dtype=np.int64)}, folder / "00001.stage")


def _another_length(folder: Path) -> None:
    path = folder / "00001.stage"
    with safe_open(path, framework="numpy") as file:
        about = file.metadata()
    save_file({"total": np.zeros(77, dtype=np.int64)}, path, metadata=about)


def _foreign(folder: Path) -> None:
    _written(folder.parent / "other", Agreement(name="other", schema=TERMS.schema, rounds=1))
    shutil.copy(folder.parent / "other" / "00001.stage", folder / "00001.stage")


def _missing(folder: Path) -> None:
    (folder / "00001.stage").unlink()


def _renumbered(folder: Path) -> None:
    (folder / "00002.stage").rename(folder / "00003.stage")


def _swapped(folder: Path) -> None:
    (folder / "00001.stage").rename(folder / "x")
    (folder / "00002.stage").rename(folder / "00001.stage")
    (folder / "x").rename(folder / "00002.stage")


def _unnumbered(folder: Path) -> None:
    shutil.copy(folder / "00002.stage", folder / "copy.stage")


def _a_folder(folder: Path) -> None:
    (folder / "00001.stage").unlink()
    (folder / "00001.stage").mkdir()


DAMAGES = {
    _cut: "00001.stage",
    _emptied: "00001.stage",
    _flipped: "00001.stage",
    _edited_record: "00001.stage",
    _without_record: "00001.stage",
    _another_tensor: "00001.stage",
    _another_length: "00001.stage",
    _foreign: "00001.stage",
    _missing: "00002.stage",
    _renumbered: "00003.stage",
    _swapped: "00001.stage",
    _unnumbered: "copy.stage",
    _a_folder: "00001.stage",
}


@pytest.mark.parametrize("damage", DAMAGES, ids=lambda damage: damage.__name__.strip("_"))
def test_a_damaged_folder_is_refused_naming_the_file_and_what_to_do(damage, folder: Path):
    damage(folder)
    with pytest.raises(OperatorError) as caught:
        Checkpoints(folder).replay(Run(TERMS))
    assert str(folder / DAMAGES[damage]) in caught.value.what
    assert "restore the folder from a copy" in caught.value.remedy
