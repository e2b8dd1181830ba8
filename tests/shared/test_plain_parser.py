"""A wrong word of a command: one sentence, a remedy, and no value that might be an identifier."""

from __future__ import annotations

import argparse

import pytest

from shared.errors import OperatorError
from shared.plain_parser import PlainParser


@pytest.fixture
def parser() -> PlainParser:
    made = PlainParser(prog="till")
    commands = made.add_subparsers(dest="command", required=True, metavar="COMMAND")
    pay = commands.add_parser("pay")
    pay.add_argument("account", metavar="ACCOUNT")
    pay.add_argument("--operator", required=True, metavar="NAME")
    pay.add_argument("--how", choices=("cash", "card"))
    pay.add_argument("--times", type=int)
    pay.add_argument("--json", action="store_true")
    return made


@pytest.mark.parametrize(
    ("words", "what", "remedy"),
    [
        ("pay A", "--operator is missing", "give --operator NAME; see till pay -h"),
        ("pay", "ACCOUNT, --operator are missing", "give ACCOUNT, --operator NAME; "),
        ("pay A --operater Li", "till pay has no option --operater", "did you mean --operator? "),
        ("pay A --oper Li", "till pay has no option --oper", "did you mean --operator? "),
        ("pay A --operator", "--operator is given without a value", "give --operator NAME; "),
        ("pay A --operator Li --how check", "--how: 'check' is not one of its words", "cash, card"),
        ("pay A --operator Li --times 4x", "--times: what is given is no whole number", "--times "),
        ("pay A B --operator Li", "till pay takes fewer words: 1 too many", "in quotes"),
        ("pya A --operator Li", "till has no command 'pya'", "did you mean pay? it is one of pay"),
        ("", "no command is given after till", "one of pay; see till -h"),
        ("pay A --operator Li --json=1", "--json is not given as it should be", "give --json; "),
    ],
)
def test_a_wrong_word_gets_a_sentence_and_a_remedy(
    parser: PlainParser, words: str, what: str, remedy: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """And no block of usage: whoever called decides what is printed."""
    with pytest.raises(OperatorError) as told:
        parser.parse_args(words.split())
    assert told.value.what == what
    assert remedy in told.value.remedy
    assert capsys.readouterr() == ("", "")


@pytest.mark.parametrize(
    "words",
    [
        "pay A 110105194912310021 --operator Li",
        "pay A --operator Li --times 110105194912310021x",
        "pay A --operator Li --how 110105194912310021",
        "pay A --operator Li --110105194912310021",
        "pay A --operator Li --json=110105194912310021",
        "110105194912310021",
    ],
)
def test_a_value_that_might_be_an_identifier_is_not_repeated(
    parser: PlainParser, words: str
) -> None:
    """argparse itself repeats it (control)."""
    with pytest.raises(OperatorError) as told:
        parser.parse_args(words.split())
    assert "110105" not in str(told.value)


def test_argparse_itself_repeats_a_value_and_prints_its_usage(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """The control of the tests above."""
    usual = argparse.ArgumentParser(prog="till")
    with pytest.raises(SystemExit):
        usual.parse_args(["110105194912310021"])
    told = capsys.readouterr().err
    assert told.startswith("usage:")
    assert "110105194912310021" in told


def test_right_words_are_read_as_ever(parser: PlainParser) -> None:
    """Options, choices, numbers and words after --."""
    found = parser.parse_args(["pay", "--operator", "Li Na", "--times", "3", "--", "--odd"])
    assert (found.command, found.operator, found.times, found.account) == (
        "pay",
        "Li Na",
        3,
        "--odd",
    )
