"""`lianfang-server demo --check`: what it prints where, and its exit status."""

from __future__ import annotations

import json

import pytest

from server.cli import main
from server.demo.trying import Tried
from shared.errors import OperatorError


class Played:
    """Stands for the demo: says something, and gives what was tried."""

    tried: list[Tried] | OperatorError

    def __init__(self, folder: object, seed: int, say) -> None:  # type: ignore[no-untyped-def]
        self._say = say

    def check(self) -> list[Tried]:
        self._say("starting …")
        if isinstance(self.tried, OperatorError):
            raise self.tried
        return self.tried


@pytest.fixture
def played(monkeypatch: pytest.MonkeyPatch) -> type[Played]:
    monkeypatch.setattr("server.demo.story.Demo", Played)
    return Played


@pytest.mark.parametrize("right", [True, False])
def test_with_json_standard_output_is_one_line_whatever_is_said(
    played: type[Played], right: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    """The rest is on standard error; without --json it is on standard output (control)."""
    played.tried = [
        Tried("list sync", 0, True, "ok"),
        Tried("list own", 0 if right else 9, right, ""),
    ]
    assert main(["demo", "--check", "--json"]) == (0 if right else 1)
    printed = capsys.readouterr()
    (line,) = printed.out.splitlines()
    assert [one["right"] for one in json.loads(line)] == [True, right]
    assert "starting …" in printed.err
    main(["demo", "--check"])
    assert "starting …" in capsys.readouterr().out


def test_a_demo_that_does_not_start_is_one_line_of_json_too(
    played: type[Played], capsys: pytest.CaptureFixture[str]
) -> None:
    """With the error and its remedy, exit status 2."""
    played.tried = OperatorError("K2 has ended\n  its last words", remedy="see its log")
    assert main(["demo", "--check", "--json"]) == 2
    (line,) = capsys.readouterr().out.splitlines()
    assert json.loads(line)["remedy"] == "see its log"
