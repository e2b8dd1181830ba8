"""What commands of the list say by themselves: plain words for states, answers and names."""

from __future__ import annotations

import re
from itertools import product
from pathlib import Path

import pytest

from client.cli import main
from client.commands.names import entry_name, row_name
from client.commands.words import answer_lines
from shared.blacklist.answer import Answer, Contributors, Recency, Strength
from shared.blacklist.reasons import ListClass, ReasonClass
from shared.blacklist.transitions import IllegalTransitionError, Move, Status
from shared.errors import OperatorError


@pytest.mark.parametrize("command", ["sync", "own", "waiting"])
def test_a_folder_that_is_no_lender_of_the_exchange_is_named(
    command: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """What is missing, and what to do."""
    assert main(["list", command, "--folder", str(tmp_path)]) == 2
    told = capsys.readouterr().err
    assert "no file exchange.toml" in told
    assert "--folder" in told


@pytest.mark.parametrize(("status", "move"), [*product(Status, Move)])
def test_every_forbidden_move_has_plain_words(status: Status, move: Move) -> None:
    """None shows a code of the program, and the status is in them."""
    told = str(IllegalTransitionError(status, move))
    assert "_" not in told
    assert told.startswith("this entry ")


def test_every_answer_has_plain_words() -> None:
    """Whatever its classes and bands are; what is rare is said only where it is so."""
    for hit_class, reason, recency, strength in product(ListClass, ReasonClass, Recency, Strength):
        few = Contributors.FEW
        answer = Answer(hit_class, reason, 2, few, recency, strength, True, False, False)
        lines = answer_lines(answer)
        assert "dispute        disputed" in lines
        assert not re.search(r"_|True|False", "\n".join(lines))
        assert "victim: verify more" not in "\n".join(lines)
    rare = Answer(
        *(ListClass.FRAUD_CONFIRMED, ReasonClass.FIRST_PARTY, 2, Contributors.FEW),
        *(Recency.OLDER, Strength.WEAK, False, True, True),
    )
    told = "\n".join(answer_lines(rare))
    assert "listed as a victim: verify more" in told
    assert "what the subject says" in told


@pytest.mark.parametrize(
    ("read", "text", "told"),
    [
        (row_name, "ab" * 16, "is the name of an entry"),
        (row_name, "ab", "64 letters and digits"),
        (row_name, "110105194912310021", "64 letters and digits"),
        (entry_name, "ab" * 32, "32 letters and digits"),
        (entry_name, "z" * 32, "32 letters and digits"),
    ],
)
def test_a_wrong_name_says_where_the_right_one_stands_and_is_not_repeated(
    read: object, text: str, told: str
) -> None:
    """It might be an identifier, put in the wrong place."""
    with pytest.raises(OperatorError) as error:
        read(text)  # type: ignore[operator]
    assert told in str(error.value)
    assert text not in str(error.value) or len(text) < 3
    assert row_name("ab" * 32) == bytes.fromhex("ab" * 32)
    assert entry_name("ab" * 16) == bytes.fromhex("ab" * 16)


def test_every_command_of_the_list_shows_its_own_examples_only(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """`list -h` shows all of them."""
    for name in ("check", "own", "withdraw", "consent", "retire-epoch"):
        with pytest.raises(SystemExit):
            main(["list", name, "-h"])
        told = capsys.readouterr().out
        shown = re.findall(r"^  lianfang-client list (\S+)", told, re.MULTILINE)
        assert {*shown} == {name}
    with pytest.raises(SystemExit):
        main(["list", "-h"])
    told = capsys.readouterr().out
    assert len({*re.findall(r"^  lianfang-client list (\S+)", told, re.MULTILINE)}) == 15
