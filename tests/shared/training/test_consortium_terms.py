"""`consortium.toml` is read whole or refused by entry, and says what runs may not go below."""

from __future__ import annotations

from dataclasses import replace

import pytest

from shared.errors import OperatorError
from shared.training.agreement import Agreement, agreement_from
from shared.training.consortium import MOST_BYTES, Consortium, parse_consortium

TEXT = """
[consortium]
name = "Five lenders"
profile = "production"
[addresses]
gate = "coordinator.example:8443"
enrol = "coordinator.example:8444"
[terms]
family = "boosted"
rounds = 20
minimum_lenders = 6
minimum_cell = 5
[table]
version = 1
row_key = "loan_id"
[label]
column = "bad_flag"
bad = ["1"]
good = ["0"]
[[columns]]
name = "income"
kind = "number"
"""


def parsed(text: str = TEXT) -> Consortium:
    return parse_consortium(text.encode())


def test_a_run_has_the_consortiums_terms_unless_it_says_otherwise() -> None:
    """The agreement made is one that every member's own copy lets pass, also as it travels."""
    consortium = parsed()
    agreement = consortium.agreement(seed=7, name="spring")
    assert (agreement.rounds, agreement.minimum_lenders, agreement.minimum_cell) == (20, 6, 5)
    assert (agreement.profile, agreement.sums, agreement.seed) == ("production", "secure", 7)
    assert consortium.differences(agreement) == []
    assert consortium.differences(agreement_from(agreement.to_dict())) == []
    other = consortium.agreement(family="network", rounds=3, minimum_lenders=8)
    assert consortium.differences(other) == []


def below(**changes: object) -> Agreement:
    return replace(parsed().agreement(), **changes)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("agreement", "why"),
    [
        (below(minimum_lenders=5), "minimum_lenders 5 is below the consortium's 6"),
        (below(minimum_cell=1), "minimum_cell 1 is below the consortium's 5"),
        (below(profile="demo"), "its profile is demo"),
        (below(profile="demo", sums="plain"), "its sums are not secure"),
        (
            below(schema=parsed(TEXT.replace('bad = ["1"]', 'bad = ["2"]')).schema),
            "its schema or label contract",
        ),
    ],
)
def test_terms_below_the_consortiums_are_named(agreement: Agreement, why: str) -> None:
    """The coordinator cannot weaken what members joined under."""
    assert any(why in found for found in parsed().differences(agreement))


def test_the_coordinator_is_told_before_members_refuse() -> None:
    with pytest.raises(OperatorError, match="no member would take part: its minimum_lenders 5"):
        parsed().agreement(minimum_lenders=5)


@pytest.mark.parametrize(
    ("old", "new", "why"),
    [
        ("[consortium]", "[konsortium]", r"\[konsortium\] is not known"),
        ("profile =", "profil =", r"profil is not known"),
        ('profile = "production"', "", "profile is missing"),
        ('name = "Five lenders"', "name = 5", r"name is not a text in quotes"),
        ('"Five lenders"', '"../../etc/passwd\\u0000"', "name is not 1 to 64 printable"),
        ('"Five lenders"', '"a\\u001b[2J"', "name is not 1 to 64 printable"),
        ('"Five lenders"', '"a|b"', "without '|'"),
        ("coordinator.example:8443", "/etc/passwd", "gate: '/etc/passwd' is not HOST:PORT"),
        ("coordinator.example:8443", "x:1; rm -rf /", "is not HOST:PORT"),
        ("rounds = 20", "rounds = true", "rounds is not a whole number"),
        ("rounds = 20", "rounds = 10001", "rounds 10001 is over"),
        ("rounds = 20", 'path = "/etc"', r"path is not known"),
        ("minimum_lenders = 6", "minimum_lenders = 4", "floor of 5"),
        ("[terms]", "[[terms]]", r"\[terms\] is not a section"),
        ('kind = "number"', 'kind = "magic"', "kind"),
        ("[table]", 'run = "x"\n[table]', "run is not known"),
    ],
)
def test_a_wrong_entry_is_named_with_what_to_do(old: str, new: str, why: str) -> None:
    """Misspelt, missing, of another type, below a floor, or a path where none belongs."""
    assert old in TEXT
    with pytest.raises(OperatorError, match=why) as caught:
        parsed(TEXT.replace(old, new, 1))
    assert str(caught.value).startswith("consortium.toml: ")
    assert caught.value.remedy


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"\xff" * 10, "line 1 is not UTF-8"),
        (b"a = 1\n\xe4\xb8", "line 2 is not UTF-8"),
        (b"#" * (MOST_BYTES + 1), f"more than {MOST_BYTES} bytes"),
        (b"x = " + b"[" * 100_000, "too deep|not TOML"),
        (b"a = ", "not TOML"),
        (b"", "name is missing"),
    ],
)
def test_a_hostile_file_is_refused(content: bytes, why: str) -> None:
    """Not UTF-8, huge, endless lists, cut off, empty: one error, and the process goes on."""
    with pytest.raises(OperatorError, match=why):
        parse_consortium(content)
