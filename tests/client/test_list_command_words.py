"""What `lianfang-client` says beside its results: errors for scripts, and help with examples."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from client.cli import main


def test_an_error_is_also_a_line_of_json_where_json_was_asked_for(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The same words as on standard error and the same exit status; without --json nothing is on
    standard output.
    """
    words = ["list", "own", "--folder", str(tmp_path)]
    assert main([*words, "--json"]) == 2
    printed = capsys.readouterr()
    said = json.loads(printed.out)
    assert {*said} == {"error", "remedy"}
    assert said["error"] in printed.err
    assert said["remedy"] in printed.err
    assert main(words) == 2
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize(
    "words", ["check", "score", "result", "outbox", "screen", "list", "list file", "list refile"]
)
def test_every_help_has_examples(words: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Also that of a single command."""
    with pytest.raises(SystemExit) as ended:
        main([*words.split(), "-h"])
    assert ended.value.code == 0
    told = capsys.readouterr().out
    assert "examples" in told
    assert f"lianfang-client {words}" in told
