"""The desk as its operator meets it: commands, settings, and beside the coordinator."""

from __future__ import annotations

import json
import secrets
from datetime import UTC, datetime
from pathlib import Path

import pytest

from server.actor import write_actor
from server.authority import create_authority
from server.cases.settings import FILE, Settings, read_settings
from server.cli import main
from server.deployment.loopback import free_port
from server.deployment.service_trial import try_services
from server.deployment.services import Service, check_apart, read_services
from server.keys import AUTHORITY
from shared.errors import OperatorError

OPEN = ("cases", "open")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A desk's, by its operator's own command, with credentials."""
    now = datetime.now(UTC)
    authority = create_authority("Five", days=40, now=now, random=secrets.token_bytes)
    home = tmp_path / "d1"
    write_actor(home, authority, "D1", "desk", days=30, now=now, random=secrets.token_bytes)
    assert main(["cases", "init", str(home), "--code", "D1", "--profile", "demo", "--json"]) == 0
    return home


def test_a_case_is_opened_and_stands_where_status_says(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """As JSON for scripts and in one line for people."""
    capsys.readouterr()
    words = ["--name", "spring", "--epoch", "1", "--kind", "phone", "--kind", "device", "--json"]
    assert main([*OPEN, str(folder), *words]) == 0
    opened = json.loads(capsys.readouterr().out)
    assert main(["cases", "status", str(folder), "--json"]) == 0
    (case,) = json.loads(capsys.readouterr().out)["cases"]
    assert case["case"] == opened["case"]
    assert (case["name"], case["week"], case["stage"], case["bulletin"]) == (
        *("spring", 0, "waiting", 0),
    )
    assert main(["cases", "status", str(folder)]) == 0
    assert "spring: week 0, waiting; bulletin 0" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["--epoch", "1", "--kind", "horoscope"], "is not a kind of edge"),
        (["--epoch", "0"], "an epoch of 1 to"),
        (["--epoch", "1", "--first-monday", "2031-05-06"], "begins on a Monday"),
    ],
)
def test_a_case_on_strange_terms_is_not_opened(
    folder: Path, capsys: pytest.CaptureFixture[str], words: list[str], told: str
) -> None:
    """The message says what was expected."""
    assert main([*OPEN, str(folder), "--name", "x", *words]) == 2
    assert told in capsys.readouterr().err
    assert main(["cases", "status", str(folder)]) == 0
    assert "no case yet" in capsys.readouterr().out


def test_a_name_is_one_live_cases(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A second case so called is refused while the first goes on; another name (the control) is
    taken.
    """
    words = [*OPEN, str(folder), "--epoch", "1", "--name"]
    assert main([*words, "spring"]) == 0
    assert main([*words, "spring"]) == 2
    assert "take another name" in " ".join(capsys.readouterr().err.split())
    assert main([*words, "summer"]) == 0
    assert main(["cases", "status", str(folder), "--json"]) == 0
    told = capsys.readouterr().out.splitlines()[-1]
    assert sorted(case["name"] for case in json.loads(told)["cases"]) == ["spring", "summer"]


def test_a_case_that_is_over_already_is_warned_of(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A trial may want it; of one that begins now (the control) nothing is said."""
    words = [*OPEN, str(folder), "--epoch", "1", "--weeks", "2", "--name"]
    assert main([*words, "now"]) == 0
    assert "warning" not in capsys.readouterr().err
    assert main([*words, "past", "--first-monday", "2026-01-05"]) == 0
    assert "ended before 2026-01-19" in capsys.readouterr().err


@pytest.mark.parametrize("word", ["status", "open", "serve"])
def test_another_services_folder_is_left_alone(
    word: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """No stray `cases.sqlite` is made in it."""
    home = tmp_path / "d2"
    words = ["--code", "D2", "--lender", "L01=bank", "--profile", "demo"]
    assert main(["borrowing", "init", str(home), *words]) == 0
    more = ["--name", "x", "--epoch", "1"] if word == "open" else []
    assert main(["cases", word, str(home), *more]) == 2
    assert "the folder of a borrowing desk" in " ".join(capsys.readouterr().err.split())
    assert [path.name for path in home.iterdir()] == ["borrowing.toml"]


def test_a_folder_that_is_none_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """With what to do."""
    for words in (["status", "x"], ["open", "x", "--name", "x", "--epoch", "1"], ["serve", "x"]):
        assert main(["cases", words[0], str(tmp_path / "x"), *words[2:]]) == 2
        assert "cases init" in capsys.readouterr().err


@pytest.mark.parametrize(
    "text",
    [
        'profile = "x"', "count_hours = -1", "edge_hours = 0", "hours = 3", "least_score = 39",
        "count_hours =",
    ],
)  # fmt: skip
def test_settings_that_are_misspelt_are_refused(tmp_path: Path, text: str) -> None:
    """None at all are the strict default; no hours pass in the demo (controls)."""
    assert read_settings(tmp_path) == Settings()
    (tmp_path / FILE).write_text('profile = "demo"\nedge_hours = 0')
    assert read_settings(tmp_path).edge_hours == 0
    (tmp_path / FILE).write_text(text)
    with pytest.raises(OperatorError, match="cannot be used"):
        read_settings(tmp_path)


def test_the_coordinator_keeps_a_desk_running_but_not_beside_a_key_holder(
    folder: Path, tmp_path: Path
) -> None:
    """It is tried in a process of its own; a registry beside it is fine in production."""
    coordinator = tmp_path / "coordinator"
    coordinator.mkdir()
    (coordinator / AUTHORITY).write_bytes((folder / AUTHORITY).read_bytes())
    text = f'[cases]\nfolder = "{folder}"\nlisten = "127.0.0.1:{free_port()}"\n'
    (coordinator / "services.toml").write_text(text)
    (service,) = read_services(coordinator)
    try_services(coordinator, (service,), "demo")
    registry = Service("registry", folder, "127.0.0.1:1")
    check_apart(coordinator, (registry, service), "production")
    with pytest.raises(OperatorError, match=r"\[keyholder\] and \[cases\]"):
        check_apart(coordinator, (Service("keyholder", folder, "a:1"), service), "production")
