"""`lianfang-server keyholder|registry|keys`: folders made, mistakes named, roles apart."""

from __future__ import annotations

import json
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest

from server.cli import main
from server.commands.registry import check_no_share
from server.keyholder.service import join
from server.registry.settings import read_settings
from shared.errors import OperatorError
from shared.tokens.sodium import Sodium
from tests.hidden_packages import hide
from tests.server.keyholder.key_holders import served

HOLDERS = ("--holder", "K1", "--holder", "K2", "--threshold", "2", "--context", "Five lenders")


def run(capsys: pytest.CaptureFixture[str], *words: object, status: int = 0) -> str:
    got = main([str(word) for word in words])
    printed = capsys.readouterr()
    assert got == status, printed.out + printed.err
    return printed.err if status == 2 else printed.out


@pytest.fixture
def authority(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Path:
    folder = tmp_path / "authority"
    run(capsys, "authority", "create", folder, "--name", "Five lenders")
    return folder


def test_init_makes_a_folder_that_serves_and_writes_nothing_over(
    tmp_path: Path, authority: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Settings and credentials of a key holder; a second time it is refused."""
    words = ("keyholder", "init", tmp_path / "K1", "--code", "K1", *HOLDERS)
    run(capsys, *words, "--profile", "demo", "--authority", authority)
    holder = join(tmp_path / "K1", group=Sodium(), clock=lambda: datetime.now(UTC))
    assert holder.settings.terms.holders == ("K1", "K2")
    holder.store.close()
    assert "there already" in run(capsys, *words, "--authority", authority, status=2)


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("--code", "K9", *HOLDERS), "K9 is not among the holders"),
        (("--code", "K1", *HOLDERS, "--threshold", "3"), "threshold"),
        (("--code", "K1", *HOLDERS, "--context", "Five|lenders"), "context"),
    ],
)
def test_wrong_terms_of_a_key_holder_are_refused_before_anything_is_written(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], words: tuple[str, ...], told: str
) -> None:
    """The entry is named."""
    assert told in run(capsys, "keyholder", "init", tmp_path / "K1", *words, status=2)
    assert not (tmp_path / "K1").exists()


def test_a_share_and_the_list_are_not_served_from_one_folder(
    tmp_path: Path,
    authority: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Whichever was there first; a folder of its own is fine (control), unless this very process
    has the other part loaded.
    """
    hide(monkeypatch, "server.keyholder", "server.registry")
    both, own = tmp_path / "both", tmp_path / "own"
    run(capsys, "keyholder", "init", both, "--code", "K1", *HOLDERS, "--authority", authority)
    with pytest.raises(OperatorError, match="a share of the key"):
        check_no_share(both)
    words = ("registry", "init", both, "--code", "R1", "--authority", authority)
    assert "apart" in run(capsys, *words, status=2)
    assert "apart" in run(capsys, "registry", "serve", both, status=2)
    (both / "registry.db").write_bytes(b"")
    assert "apart" in run(capsys, "keyholder", "serve", both, status=2)
    own.mkdir()
    (own / "registry.toml").write_text("")
    hide(monkeypatch, "server.keyholder")  # `serve` loads it
    check_no_share(own)
    monkeypatch.setitem(sys.modules, "server.keyholder", sys)
    with pytest.raises(OperatorError, match="apart"):
        check_no_share(own)


def test_serving_a_folder_that_is_none_names_what_is_missing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The file, and what to do."""
    assert "keyholder.toml" in run(capsys, "keyholder", "serve", tmp_path, status=2)
    assert "keys.toml" in run(capsys, "keys", "status", tmp_path, status=2)


def test_status_shows_every_holder_and_says_when_one_does_not_answer(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Generated, refreshed, rotated through the commands; 1 when they are not all the same."""
    with served(tmp_path, profile="demo") as (running, _):
        folder = tmp_path / "C1"
        lines = [f'{code} = "127.0.0.1:{one.port}"\n' for code, one in running.items()]
        text = '[keys]\ncontext = "Ring watch"\nthreshold = 2\n[holders]\n' + "".join(lines)
        (folder / "keys.toml").write_text(text)
        assert "no key yet" in run(capsys, "keys", "status", folder)
        made = json.loads(run(capsys, "keys", "generate", folder, "--json"))
        assert (made["epoch"], made["generation"]) == (1, 1)
        assert "refresh or rotate" in run(capsys, "keys", "generate", folder, status=2)
        assert "generation 2" in run(capsys, "keys", "refresh", folder)
        assert json.loads(run(capsys, "keys", "rotate", folder, "--json"))["epoch"] == 2
        found = json.loads(run(capsys, "keys", "status", folder, "--json"))
        assert found["same"]
        assert [one[:2] for one in found["holders"][0]["keys"]] == [[1, 2], [2, 1]]
        running["K2"].stop()
        assert "K2  it does not answer" in run(capsys, "keys", "status", folder, status=1)
        for ceremony in ("refresh", "rotate"):
            told = run(capsys, "keys", ceremony, folder, status=2)
            assert f"{ceremony} needs all key holders, and not all answer: K2 at 127." in told
            assert "nothing was begun" in told
            assert "keyholder serve" in told
            assert "lookups go on with the other 2" in told
        running["K3"].stop()
        told = run(capsys, "keys", "refresh", folder, status=2)
        assert "K2 at " in told
        assert "K3 at " in told
        assert "nobody can look anything up: 2 are needed" in told


def test_a_registry_is_told_whose_keys_it_takes(
    tmp_path: Path,
    authority: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """In its settings, as it reads them; without it says nothing (control). A code that is none is
    refused before anything is written.
    """
    hide(monkeypatch, "server.keyholder", "server.registry")
    words = ("registry", "init", "--code", "R1", "--authority", authority)
    run(
        capsys,
        *words,
        tmp_path / "R1",
        "--context",
        "Five lenders",
        "--holder",
        "K1",
        "--holder",
        "K2",
    )
    found = read_settings(tmp_path / "R1")
    assert (found.holders, found.context) == (frozenset({"K1", "K2"}), "Five lenders")
    run(capsys, *words, tmp_path / "R2")
    found = read_settings(tmp_path / "R2")
    assert (found.holders, found.context) == (None, None)
    for wrong in (("K1",), ("K1", "K1"), ("K1", "K 2")):
        holders = [word for code in wrong for word in ("--holder", code)]
        assert "--holder" in run(capsys, *words, tmp_path / "R3", *holders, status=2)
        assert not (tmp_path / "R3").exists()


@pytest.mark.parametrize(
    "text",
    [
        '[keys]\ncontext = "A"\nthreshold = 2\n',
        '[keys]\ncontext = "A"\nthreshold = 1\n[holders]\nK1 = "a:1"\nK2 = "b:1"\n',
        '[keys]\ncontext = "A"\nthreshold = 2\nmore = 1\n[holders]\nK1 = "a:1"\nK2 = "b:1"\n',
        '[keys]\ncontext = "A"\nthreshold = 2\n[holders]\nK1 = "a:1"\nK2 = 7\n',
        "[keys\n",
    ],
)
def test_a_wrong_keys_file_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], text: str
) -> None:
    """By name, with what it should hold."""
    (tmp_path / "keys.toml").write_text(text)
    assert "keys.toml" in run(capsys, "keys", "status", tmp_path, status=2)
