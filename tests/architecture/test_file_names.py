"""A file is named after the thing in it, and tests are where `pytest` finds them."""

import re
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[2]
FOLDERS = ("shared", "client", "server", "tests", "configs", "data")
FILES = sorted(
    [
        *REPOSITORY.glob("*.py"),
        *(path for folder in FOLDERS for path in (REPOSITORY / folder).rglob("*.py")),
    ]
)
NOTHING_IN_PARTICULAR = re.compile(
    r"(^|_)(utils?|helpers?|commons?|managers?|misc|tools?|stuff|base|shared_code)(_|$)"
)


def says_nothing(path: Path) -> bool:
    return any(NOTHING_IN_PARTICULAR.search(part.lower()) for part in path.with_suffix("").parts)


def test_every_file_and_folder_is_named_after_the_thing_in_it() -> None:
    """Not utils, helpers, common, manager or misc, alone or as a part of the name."""
    found = [path.relative_to(REPOSITORY) for path in FILES]
    assert len(found) > 80
    assert [path.as_posix() for path in found if says_nothing(path)] == []


@pytest.mark.parametrize(
    "planted",
    ["shared/utils.py", "client/file_helpers.py", "server/common/run.py", "run_manager.py"],
)
def test_a_planted_name_is_found(planted: str) -> None:
    """Positive control."""
    assert says_nothing(Path(planted))


@pytest.mark.parametrize("fine", ["shared/model/trees.py", "client/desk.py", "communal.py"])
def test_a_name_that_says_something_is_not_found(fine: str) -> None:
    """Negative control."""
    assert not says_nothing(Path(fine))


def test_no_two_test_files_share_a_name() -> None:
    """Test folders are no packages, so pytest imports a test file by its bare name."""
    names = [path.name for path in (REPOSITORY / "tests").rglob("test_*.py")]
    assert sorted(names) == sorted(set(names))
