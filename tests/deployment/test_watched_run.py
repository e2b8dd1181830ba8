"""What was acknowledged once and is gone is noticed: the control of all tests of faults."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.deployment.consortium import Consortium
from tests.deployment.watched_run import Acknowledged

CONTENT = b'{"stage": "census"}\n{"stage": "bins"}\n'


@pytest.fixture
def consortium(tmp_path: Path) -> Consortium:
    """Two stages of a run, one lender with an outbox of two lines."""
    (tmp_path / "run/stages").mkdir(parents=True)
    for number in range(2):
        (tmp_path / f"run/stages/{number:05d}.stage").write_bytes(b"total")
    (tmp_path / "L01/own").mkdir(parents=True)
    (tmp_path / "L01/own/outbox.jsonl").write_bytes(CONTENT)
    return Consortium(tmp_path, "127.0.0.1:1", tmp_path, {"L01": tmp_path / "L01"})


def _seen(consortium: Consortium) -> Acknowledged:
    seen = Acknowledged(consortium, consortium.home / "run")
    assert seen.look() == []
    return seen


LOST: dict[str, tuple[Callable[[Path], object], str]] = {
    "a stage file is gone": (
        lambda home: (home / "run/stages/00001.stage").unlink(),
        "00001.stage",
    ),
    "the stages are gone": (
        lambda home: [path.unlink() for path in (home / "run/stages").iterdir()],
        "00000.stage",
    ),
    "a stage file is another": (
        lambda home: (home / "run/stages/00000.stage").write_bytes(b"totaL"),
        "00000.stage",
    ),
    "an outbox is cut": (
        lambda home: (home / "L01/own/outbox.jsonl").write_bytes(CONTENT[:25]),
        "outbox of L01",
    ),
    "an outbox is gone": (
        lambda home: (home / "L01/own/outbox.jsonl").unlink(),
        "outbox of L01",
    ),
    "a line of an outbox is another": (
        lambda home: (home / "L01/own/outbox.jsonl").write_bytes(CONTENT.upper()),
        "outbox of L01",
    ),
}


@pytest.mark.parametrize("what", LOST)
def test_what_is_lost_is_noticed(what: str, consortium: Consortium) -> None:
    """And named, at the next look."""
    seen, (lose, named) = _seen(consortium), LOST[what]
    lose(consortium.home)
    assert named in seen.look()


def test_what_is_lost_and_written_again_between_two_looks_is_noticed(
    consortium: Consortium,
) -> None:
    """A lender that forgot what it had answered and answers anew."""
    seen = _seen(consortium)
    (consortium.home / "L01/own/outbox.jsonl").write_bytes(CONTENT[20:] + CONTENT)
    assert seen.look() == ["outbox of L01"]


def test_what_comes_in_addition_is_no_loss(consortium: Consortium) -> None:
    """A further stage, a further line, and one that was cut off in writing and is written again."""
    seen, outbox = _seen(consortium), consortium.home / "L01/own/outbox.jsonl"
    (consortium.home / "run/stages/00002.stage").write_bytes(b"total")
    outbox.write_bytes(CONTENT + b'{"sta')
    assert seen.look() == []
    outbox.write_bytes(CONTENT + b'{"stage": "trees/1"}\n')
    assert seen.look() == []
