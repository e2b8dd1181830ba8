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


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ("list approve", "--operator is missing"),
        ("list approve --operater Li", "no option --operater"),
        ("list dispute abc --operator Li --checker Wang", "--grounds, --evidence-file are missing"),
        ("list chek", "no command 'chek'"),
        ("screen book.csv", "--out is missing"),
    ],
)
def test_a_wrong_word_is_one_sentence_with_a_remedy_and_exit_status_2(
    words: str, told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Without a block of usage; with --json a line of JSON too."""
    assert main(words.split()) == 2
    printed = capsys.readouterr()
    assert told in printed.err
    assert "remedy: " in printed.err
    assert "usage:" not in printed.err
    assert len(printed.err.splitlines()) == 2
    assert printed.out == ""
    assert main([*words.split(), "--json"]) == 2
    said = json.loads(capsys.readouterr().out)
    assert told in said["error"]
