"""A secure run whose coordinator dies at any durable write goes on to the undisturbed model, and
asks lenders for nothing they have not been asked before.
"""

import itertools
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from server.coordinator import checkpoint, kept_rounds
from server.coordinator.exchange import VoidStageError
from shared.errors import OperatorError
from tests.federation import Consortium, founded_in, model_of

Write = Callable[[Path, bytes], None]


@pytest.fixture(scope="module")
def consortium(tmp_path_factory: pytest.TempPathFactory) -> Consortium:
    return founded_in(tmp_path_factory.mktemp("killed") / "run")


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The model of a plain run that nothing happens to."""
    folder = tmp_path_factory.mktemp("undisturbed") / "run"
    return model_of(founded_in(folder, sums="plain").conducted())


class PowerCutError(Exception):
    """The process ends here."""


def _cutting(name: str, which: int, after: bool, write: Write) -> Write:
    """A durable write that fails when the file `name` is written for the n-th time."""
    times = itertools.count(1)

    def cut(path: Path, content: bytes) -> None:
        if path.name != name or next(times) != which:
            return write(path, content)
        if after:
            write(path, content)
        raise PowerCutError

    return cut


CUTS = [
    ("counter", 1),
    ("set-up.json", 1),
    *((name, number) for number in (1, 5, 7) for name in ("opened.json", "closed.round")),
    ("00000.stage", 1),
    ("00004.stage", 1),
]
"""census is round 1, trees/1 round 5, evaluation round 7."""


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize(("name", "which"), CUTS, ids=[f"{name}-{n}" for name, n in CUTS])
def test_cut_short_at_a_durable_write_and_resumed_the_model_is_the_same(
    name: str,
    which: int,
    after: bool,
    consortium: Consortium,
    undisturbed: str,
    monkeypatch: pytest.MonkeyPatch,
):
    with monkeypatch.context() as patch:
        cut = _cutting(name, which, after, checkpoint.write_durably)
        for module in (checkpoint, kept_rounds):
            patch.setattr(module, "write_durably", cut)
        with pytest.raises(PowerCutError):
            consortium.conducted()
    assert model_of(consortium.conducted(resume=True)) == undisturbed
    assert not (consortium.folder / "refusals").exists()  # nobody was asked amiss


@pytest.mark.parametrize(
    ("label", "first_asked"),
    [
        ("set-up/keys", "set-up/keys"),
        ("set-up/shares", "set-up/keys"),
        ("set-up/ready", "set-up/keys"),
        ("census", "census"),
        ("census/unmask", "census/unmask"),
        ("trees/1", "trees/1"),
        ("trees/1/unmask", "trees/1/unmask"),
        ("close", "close"),
    ],
)
def test_killed_while_asking_it_goes_on_with_the_same_question(
    label: str, first_asked: str, consortium: Consortium, undisturbed: str
):
    """The first three lenders have got it, the others have not."""
    before: list[tuple[str, bytes]] = []
    with pytest.raises(PowerCutError):
        consortium.conducted(wrapped=lambda grid: _dying(grid, label, before))
    asked: list[tuple[str, bytes]] = []
    run = consortium.conducted(resume=True, wrapped=lambda grid: _noting(grid, asked))
    assert model_of(run) == undisturbed
    assert asked[0][0] == first_asked
    if not label.startswith("set-up") and label != "close":
        assert asked[0] == before[-1]  # the very same round, or survivors


def _dying(grid, label: str, asked: list[tuple[str, bytes]]):
    _noting(grid, asked)
    push = grid.push_messages

    def dying(messages):
        if sum(stage == label for stage, _ in asked) == 3:
            raise PowerCutError
        return push(messages)

    grid.push_messages = dying
    return grid


def _noting(grid, asked: list[tuple[str, bytes]]):
    push = grid.push_messages

    def noted(messages):
        messages = list(messages)
        for message in messages:
            record = message.content["ask"]
            asked.append((str(record["stage"]), record.get("opened", record.get("body", b""))))
        return push(messages)

    grid.push_messages = noted
    return grid


def test_a_run_that_begins_anew_is_refused_by_lenders_who_remember(
    consortium: Consortium, monkeypatch: pytest.MonkeyPatch
):
    """They masked the census of these terms once; the counter has survived, so keys are given."""
    consortium.conducted()
    first = _counter(consortium)
    monkeypatch.setattr(Consortium, "lenders_forget", lambda self: None)
    with pytest.raises(VoidStageError) as caught:
        consortium.conducted()
    assert "stage census, masked input: 0 lenders answered, 4 are needed" in caught.value.what
    assert "L02: refused (again): the same update has been masked before" in caught.value.what
    assert _counter(consortium) > first
    refusals = sorted(path.name for path in (consortium.folder / "refusals").iterdir())
    assert sorted(name[4:] for name in refusals) == [f"L0{i}-again.json" for i in range(1, 6)]
    shutil.rmtree(consortium.folder / "refusals")


def _counter(consortium: Consortium) -> int:
    return int((consortium.folder / "rounds" / "counter").read_text())


def test_nodes_that_nobody_knows_any_more_are_asked_in_the_open_round(
    consortium: Consortium, undisturbed: str
):
    """As under Ray, where every process gives nodes new numbers."""
    with pytest.raises(PowerCutError):
        consortium.conducted(wrapped=lambda grid: _dying(grid, "trees/0/unmask", []))
    kept = consortium.folder / "rounds" / "set-up.json"
    text = kept.read_text(encoding="utf-8")
    kept.write_text(text[: text.index('"nodes"')] + '"nodes": {}}', encoding="utf-8")
    asked: list[tuple[str, bytes]] = []
    run = consortium.conducted(resume=True, wrapped=lambda grid: _noting(grid, asked))
    assert model_of(run) == undisturbed
    assert asked[0][0] == "trees/0/unmask"
    assert not (consortium.folder / "refusals").exists()


def _flipped(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[-3] ^= 64
    path.write_bytes(bytes(content))


@pytest.mark.parametrize("name", ["set-up.json", "opened.json", "closed.round", "counter"])
def test_a_damaged_file_is_named_and_not_used(name: str, consortium: Consortium):
    with pytest.raises(PowerCutError):
        consortium.conducted(wrapped=lambda grid: _dying(grid, "trees/0/unmask", []))
    path = consortium.folder / "rounds" / name
    before = path.read_bytes()
    _flipped(path)
    with pytest.raises(OperatorError) as caught:
        consortium.conducted(resume=True)
    path.write_bytes(before)
    assert caught.value.what == f"{path} cannot be used: it was changed or cut short"


def test_an_open_round_without_its_key_sets_is_told(consortium: Consortium):
    with pytest.raises(PowerCutError):
        consortium.conducted(wrapped=lambda grid: _dying(grid, "trees/0/unmask", []))
    (consortium.folder / "rounds" / "set-up.json").unlink()
    with pytest.raises(OperatorError, match="key sets of the stage that was open are gone"):
        consortium.conducted(resume=True)
