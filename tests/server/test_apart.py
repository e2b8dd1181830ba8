"""Key share and list are never in one process or folder, whichever of them was there first."""

from __future__ import annotations

import importlib
import logging
import shutil
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

import server.keyholder
from server.actor import write_actor
from server.apart import LIST, SHARE, Part, check_without
from server.keyholder.store import Store
from server.registry.database import Database
from server.registry.service import serve
from server.registry.settings import Settings, read_settings
from shared.errors import OperatorError
from tests.hidden_packages import hide
from tests.identities import fixed_random
from tests.server.keyholder.key_holders import AUTHORITY, NOW, make_folder

REPOSITORY = Path(__file__).resolve().parents[2]
HOLDER = """
from datetime import UTC, datetime
from server.keyholder.service import join
from shared.tokens.sodium import Sodium
join(root / "K1", group=Sodium(), clock=lambda: datetime.now(UTC))
"""
REGISTRY = """
from server.registry.service import serve
registry = serve(root / "R1", "127.0.0.1:0", profile=profile)
"""
TOLD = "run key holders and registry apart"


def registry_folder(folder: Path) -> Path:
    """A registry's credentials."""
    random = fixed_random("apart")
    write_actor(folder, AUTHORITY, "R1", "registry", days=300, now=NOW, random=random)
    return folder


def process(root: Path, first: str, second: str, profile: str = "production") -> str:
    """What a process says that starts one service, then the other."""
    begin = f"from pathlib import Path\nroot = Path({str(root)!r})\nprofile = {profile!r}\n"
    end = "\nimport os, sys\nsys.stdout.flush()\nos._exit(0)\n"
    code = begin + first + "print('first')\n" + second + "print('second')\n" + end
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=REPOSITORY, capture_output=True, text=True, check=False
    )
    return done.stdout + done.stderr


@pytest.mark.parametrize(("first", "second"), [(HOLDER, REGISTRY), (REGISTRY, HOLDER)])
def test_whichever_service_comes_second_in_a_process_does_not_start(
    tmp_path: Path, first: str, second: str
) -> None:
    """The first one starts by itself (control); the second is refused."""
    make_folder(tmp_path / "K1", "K1", ["K1", "K2"], profile="production")
    registry_folder(tmp_path / "R1")
    said = process(tmp_path, first, second)
    assert said.startswith("first\n")
    assert "second" not in said.splitlines()
    assert TOLD in said


def test_in_the_demo_both_start_and_the_registry_says_so(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """By `registry.toml`; without it this very process, which has loaded both, is refused."""
    folder = registry_folder(tmp_path / "R1")
    with pytest.raises(OperatorError, match=r"has loaded server\.keyholder"):
        serve(folder, "127.0.0.1:0")
    assert not (folder / "registry.db").exists()
    (folder / "registry.toml").write_text('profile = "demo"\n')
    with caplog.at_level(logging.WARNING):
        serve(folder, "127.0.0.1:0").stop()
    assert "profile demo" in caplog.text


def share_in(folder: Path) -> Path:
    """A key holder's database under another name, still in its write-ahead log."""
    made = folder.parent / "made"
    made.mkdir()
    store = Store(made, bytes(32))
    for path in made.iterdir():
        shutil.copy(path, folder / path.name.replace("keyholder.sqlite", "archive.dat"))
    store.close()
    assert b"shares" in (folder / "archive.dat-wal").read_bytes()
    return folder / "archive.dat-wal"


def list_in(folder: Path) -> Path:
    """A registry's database under another name, in a folder below."""
    Database(f"sqlite:///{folder.parent / 'made.db'}").close()
    (folder / "old").mkdir()
    return Path(shutil.copy(folder.parent / "made.db", folder / "old" / "archive.dat"))


@pytest.mark.parametrize(("part", "put"), [(SHARE, share_in), (LIST, list_in)])
def test_a_folder_is_known_by_what_is_in_it(tmp_path: Path, part: Part, put: object) -> None:
    """A renamed database is found; the other part's own and texts are not it (control)."""
    folder, own = tmp_path / "folder", tmp_path / "own"
    folder.mkdir()
    own.mkdir()
    {SHARE: list_in, LIST: share_in}[part](own)
    shutil.rmtree(tmp_path / "made", ignore_errors=True)
    (tmp_path / "made.db").unlink(missing_ok=True)
    (own / "notes.txt").write_bytes(b"SQL: " + part.table)
    check_without(part, "production", own, modules=())
    check_without(part, "production", folder, modules=())
    found = put(folder)  # type: ignore[operator]
    with pytest.raises(OperatorError, match=found.name):
        check_without(part, "production", folder, modules=())
    with pytest.raises(OperatorError, match=TOLD):
        check_without(part, "production", own, found.parent, modules=())
    check_without(part, "demo", folder, modules=())


def test_a_share_beside_a_database_elsewhere_is_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The list is where its database is, not where the credentials are."""
    hide(monkeypatch, "server.keyholder")
    folder, elsewhere = registry_folder(tmp_path / "R1"), tmp_path / "elsewhere"
    elsewhere.mkdir()
    (folder / "registry.toml").write_text(f'database = "sqlite:///{elsewhere / "list.db"}"\n')
    serve(folder, "127.0.0.1:0").stop()
    with sqlite3.connect(elsewhere / "else.db") as other:
        other.execute("CREATE TABLE shares (secret BLOB)")
    other.close()
    with pytest.raises(OperatorError, match=r"else\.db holds a share"):
        serve(folder, "127.0.0.1:0")


def test_a_package_that_was_hidden_is_found_again_by_name() -> None:
    """While hidden it is loaded a second time (control); afterwards nothing refers to that copy."""
    before = server.keyholder
    with pytest.MonkeyPatch.context() as patch:
        hide(patch, "server.keyholder")
        assert importlib.import_module("server.keyholder") is not before
    assert server.keyholder is before is sys.modules["server.keyholder"]


def test_settings_are_strict_unless_they_say_otherwise(tmp_path: Path) -> None:
    """Nothing written is `production`; a misspelt profile or entry is refused."""
    path = tmp_path / "registry.toml"
    assert read_settings(tmp_path) == Settings()
    assert Settings().profile == "production"
    path.write_text('profile = "demo"\n[batches]\nseconds = 5\n')
    assert (read_settings(tmp_path).profile, read_settings(tmp_path).batches.seconds) == ("demo", 5)
    for wrong in ('profile = "Demo"', "profile = 1", 'profil = "demo"', "database = 1", "[batches"):
        path.write_text(wrong)
        with pytest.raises(OperatorError, match=r"registry\.toml cannot be used"):
            read_settings(tmp_path)
