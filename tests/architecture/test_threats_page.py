"""docs/threats.md names tests that are there."""

import ast
import re
from functools import cache
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]
NAMED = re.compile(r"`(tests/[\w/]+\.py)::(test_\w+)`")


@cache
def functions(path: str) -> frozenset[str]:
    """Names of a file's functions; none where there is no such file."""
    file = REPOSITORY / path
    tree = ast.parse(file.read_text(encoding="utf-8")) if file.exists() else ast.Module([], [])
    return frozenset(node.name for node in tree.body if isinstance(node, ast.FunctionDef))


def missing(page: str) -> list[str]:
    """Tests the page names that do not exist."""
    named = NAMED.findall(page)
    return [f"{path}::{name}" for path, name in named if name not in functions(path)]


def test_every_test_that_the_threats_page_names_exists() -> None:
    """File and function, more than forty of them."""
    page = (REPOSITORY / "docs" / "threats.md").read_text(encoding="utf-8")
    assert len(NAMED.findall(page)) > 40
    assert missing(page) == []


def test_a_test_that_is_not_there_is_found() -> None:
    """Positive control."""
    assert missing("`tests/architecture/test_threats_page.py::test_nothing`")
    assert missing("`tests/architecture/test_no_file.py::test_nothing`")
