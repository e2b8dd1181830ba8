"""What `init` and `start` refuse before anything is made or started."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from server.cli import main
from server.commands.connected import sorted_out
from server.deployment.free_ports import check_free
from shared.errors import OperatorError

WORDS = ("--name", "Three", "--schema", "none.toml")


def _init(*words: str) -> int:
    asked = {"--gate": "c.example:8443", "--enrol": "c.example:8444", "--profile": "production"}
    asked |= dict(zip(words[::2], words[1::2], strict=True))
    return main(["init", "nowhere", *WORDS, *(word for pair in asked.items() for word in pair)])


@pytest.mark.parametrize(
    ("option", "given", "told"),
    [
        ("--enrol", "c.example:8443", "both would listen at port 8443"),
        ("--enrol", "other.example:8443", "both would listen at port 8443"),
        ("--gate", "c.example", "--gate: "),
        ("--rounds", "0", "--rounds 0 is not within 1 … 10,000"),
        ("--minimum-lenders", "3", "--minimum-lenders 3 is not at least 5"),
        ("--minimum-cell", "0", "--minimum-cell 0 is not within 1 … 1,000"),
    ],
)
def test_init_names_the_option_that_is_wrong(
    option: str, given: str, told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """By its own name and with what it may be; without it the schema file is looked at next."""
    assert _init(option, given) == 2
    assert told in capsys.readouterr().err
    assert _init() == 2
    assert "none.toml cannot be read" in capsys.readouterr().err


def test_a_port_that_is_taken_is_told_before_anything_starts() -> None:
    """With whose it is; once it is free, and while another start ends, nothing is told."""
    with socket.create_server(("127.0.0.1", 0)) as other:
        address = f"127.0.0.1:{other.getsockname()[1]}"
        with pytest.raises(OperatorError, match=f"{address}, of the gate, cannot be listened at"):
            check_free({"the gate": address}, seconds=0.0)
        ended = lambda seconds: other.close()  # noqa: E731
        check_free({"the gate": address}, sleep=ended)
    check_free({"the gate": address})


def test_two_addresses_that_are_one_port_are_told() -> None:
    """Each alone is free."""
    with socket.create_server(("127.0.0.1", 0)) as other:
        address = f"127.0.0.1:{other.getsockname()[1]}"
    check_free({"enrolment": address})
    with pytest.raises(OperatorError, match="of enrolment"):
        check_free({"the gate": address, "enrolment": address}, seconds=0.0)


def test_who_is_connected_is_told_by_node_key() -> None:
    """However the two texts end their lines; a node of nobody counts for nobody."""
    keys = {"L01": b"-- A\nb\n", "L02": b"-- C\nd\n"}
    found = sorted_out(3, keys, {b"-- A\r\nb", b"-- E"})
    assert (found.here, found.away, found.enough) == (("L01",), ("L02",), False)
    assert found.line() == "1 of 3 needed lenders connected; not connected: L02"


def test_a_lenders_folder_is_no_coordinators(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Though it holds a copy of consortium.toml: every command says whose it is."""
    (tmp_path / "client.toml").write_text("")
    (tmp_path / "consortium.toml").write_text("")
    for words in (["start", str(tmp_path)], ["run", "start", str(tmp_path), "x"]):
        assert main(words) == 2
        assert "is a lender's folder" in " ".join(capsys.readouterr().err.split())
