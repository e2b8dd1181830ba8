"""The doctor finds what would keep a lender out of a run, and says what to do."""

from __future__ import annotations

import json
import os
import shutil
import sqlite3
import threading
from collections import namedtuple
from collections.abc import Iterator
from datetime import datetime, timedelta
from importlib.metadata import version
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from client import cli
from client.doctor import machine, rows
from client.doctor.advice import Advice, status_of
from client.doctor.examination import examine
from client.joining import finish
from server.consortium.admission import admitted
from server.consortium.members import revoke
from server.deployment.gate import Gate, server_of
from server.deployment.loopback import Loopback
from tests.consortium_folders import asked, founded, invited, now, readdressed

SCHEMA = """
[table]
version = 1
row_key = "loan_id"
[label]
column = "bad_flag"
bad = ["1"]
good = ["0"]
bad_rate_low = 0.05
bad_rate_high = 0.6
[[columns]]
name = "income"
kind = "number"
low = 0
[[columns]]
name = "region"
kind = "category"
levels = ["北京", "上海"]
"""
ROWS = 600


def frame() -> pd.DataFrame:
    rng = np.random.default_rng(3)
    return pd.DataFrame(
        {
            "loan_id": [f"A{number:04d}" for number in range(ROWS)],
            "income": rng.integers(1000, 9000, ROWS),
            "region": rng.choice(["北京", "上海"], ROWS),
            "bad_flag": (rng.random(ROWS) < 0.3).astype(int),
        }
    )


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A coordinator's folder with its real gate, over TLS on loopback; and a lender in it."""
    base = tmp_path_factory.mktemp("doctor")
    folder, home = base / "consortium", base / "L01"
    founded(folder, schema=SCHEMA.encode())
    (folder / "bundle").mkdir()
    (folder / "bundle" / "sha256").write_text("ab" * 32)
    Loopback(folder).renew()
    server = server_of(Gate(folder), "127.0.0.1", 0)
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not server.started:
        thread.join(0.02)
    port = server.servers[0].sockets[0].getsockname()[1]
    text = (folder / "consortium.toml").read_text(encoding="utf-8")
    (folder / "consortium.toml").write_text(text.replace("127.0.0.1:18443", f"127.0.0.1:{port}"))
    readdressed(folder, 18444)
    request = asked(home, invited(folder))
    finish(home, admitted(folder, request.content(), now()), now=now())
    yield folder
    server.should_exit = True
    thread.join()


@pytest.fixture
def home(running: Path, tmp_path: Path) -> Path:
    """The lender's folder with a good table, for one test."""
    place = tmp_path / "L01"
    shutil.copytree(running.parent / "L01", place)
    frame().to_csv(place / "loans.csv", index=False)
    edit(place, "table.parquet", "loans.csv")
    return place


def edit(home: Path, old: str, new: str, name: str = "client.toml") -> None:
    text = (home / name).read_text(encoding="utf-8")
    assert old in text
    (home / name).write_text(text.replace(old, new), encoding="utf-8")


def lines(home: Path, shift: timedelta = timedelta(), **more: bool) -> list[Advice]:
    found = list(examine(home, clock=lambda: now() + shift, **more))
    assert all(one.remedy for one in found if one.state != "ok")
    return found


def told(home: Path, subject: str, shift: timedelta = timedelta(), **more: bool) -> tuple[str, str]:
    """State and sentence of the worst line about something, where the rest is well."""
    found = [one for one in lines(home, shift, **more) if one.subject == subject]
    worst = max(found, key=lambda one: status_of([one]))
    return worst.state, worst.what


def test_a_folder_that_is_ready_is_told_so(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Nothing but ok, exit status 0, and everything was looked at."""
    assert cli.main(["doctor", str(home), "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert document["status"] == 0
    subjects = {one["subject"] for one in document["lines"]}
    assert subjects == {
        *("versions", "disk", "locks", "privacy", "settings", "certificates", "members"),
        *("encoding", "table", "leakage", "memory", "gate", "clock", "code"),
    }
    assert cli.main(["doctor", str(home)]) == 0
    assert "WRONG" not in capsys.readouterr().out


def test_a_leak_is_suspected(home: Path) -> None:
    """A column that is the outcome itself; the control above has none."""
    leaky = frame()
    leaky["income"] = leaky["bad_flag"] * 5000 + np.arange(ROWS) % 7
    leaky.to_csv(home / "loans.csv", index=False)
    state, what = told(home, "leakage", network=False)
    assert state == "attention"
    assert "'income': suspiciously strong on its own" in what


def test_the_encoding_is_told(home: Path) -> None:
    """GB 18030 works and is worth a look; UTF-16 does not work."""
    (home / "loans.csv").write_bytes(frame().to_csv(index=False).encode("gb18030"))
    assert told(home, "encoding", network=False)[0] == "attention"
    assert told(home, "table", network=False)[0] == "ok"
    (home / "loans.csv").write_bytes(frame().to_csv(index=False).encode("utf-16"))
    assert "UTF-16" in told(home, "table", network=False)[1]


def test_data_against_schema_and_label_contract(home: Path) -> None:
    """A label nobody declared is wrong and masked; an odd bad rate and few rows are attention."""
    wrong = frame()
    wrong["bad_flag"] = wrong["bad_flag"].astype(object)
    wrong.loc[3, "bad_flag"] = "perhaps-later"
    wrong.to_csv(home / "loans.csv", index=False)
    state, what = told(home, "table", network=False)
    assert state == "wrong"
    assert "does not know" in what
    assert "perhaps" not in what
    few = frame().iloc[:90].assign(bad_flag=[1] * 80 + [0] * 10)
    few.to_csv(home / "loans.csv", index=False)
    sentences = [one.what for one in lines(home, network=False) if one.state == "attention"]
    assert any(": few" in one for one in sentences)
    assert any("bad rate" in one for one in sentences)


def test_a_database_is_examined_like_a_file(home: Path) -> None:
    """Its password's place, too."""
    with sqlite3.connect(home / "book.db") as connection:
        frame().to_sql("loans", connection, index=False)
    connection.close()
    edit(home, "loans.csv", "sqlite:///book.db#loans")
    assert told(home, "table", network=False)[0] == "ok"
    edit(home, "sqlite:///book.db#loans", "postgresql+psycopg://r@127.0.0.1:9/book#loans")
    edit(home, "[lender]\n", '[lender]\ntable_password = "env:NOT_SET_HERE"\n')
    assert told(home, "table", network=False) == (
        "wrong",
        "the environment variable NOT_SET_HERE is not set",
    )


@pytest.mark.parametrize(
    ("hours", "state"), [(0, "ok"), (1, "attention"), (-3, "attention"), (13, "wrong")]
)
def test_a_wrong_clock_is_measured_against_the_gates(home: Path, hours: int, state: str) -> None:
    assert told(home, "clock", timedelta(hours=hours))[0] == state


def test_certificates_that_end_are_told_in_time(home: Path) -> None:
    """Two weeks before: attention, with the command; after it: wrong."""
    assert told(home, "certificates", timedelta(days=352), network=False)[0] == "attention"
    state, what = told(home, "certificates", timedelta(days=366), network=False)
    assert (state, "expired" in what) == ("wrong", True)


@pytest.mark.parametrize(
    ("name", "subject"),
    [
        ("authority.crt", "certificates"),
        ("certificate.crt", "certificates"),
        ("transport.crt", "certificates"),
        ("own/transport.key", "certificates"),
        ("own/node.key", "certificates"),
        ("consortium.toml", "settings"),
        ("client.toml", "settings"),
        ("members.json", "members"),
        ("bundles.json", "gate"),
    ],
)
def test_a_file_that_is_gone_or_rubbish_is_one_wrong_line(
    home: Path, name: str, subject: str
) -> None:
    """The other checks are made all the same, and none fails in an unforeseen way."""
    for content in (None, b"\xff\xfe\x00", b"[" * 3000):
        (home / name).unlink(missing_ok=True)
        if content is not None:
            (home / name).write_bytes(content)
            (home / name).chmod(0o600)
        found = lines(home, network=subject == "gate")
        assert status_of(one for one in found if one.subject == subject) == 2, (name, content)
        assert not any("Error at" in one.what for one in found), (name, content)
        assert any(one.subject == "disk" for one in found)


def test_another_transport_key_than_the_certificates_is_found(home: Path, running: Path) -> None:
    from server.keys import AUTHORITY
    from shared.identity.transport import new_transport_key

    (home / "own" / "transport.key").write_bytes(new_transport_key(os.urandom))
    assert (running / AUTHORITY).exists()
    state, what = told(home, "certificates")
    assert (state, "cannot be used for TLS" in what) == ("wrong", True)


def test_keys_that_others_can_read_are_found(home: Path) -> None:
    (home / "own" / "node.key").chmod(0o640)
    assert told(home, "privacy", network=False)[0] == "wrong"
    (home / "own" / "node.key").chmod(0o600)
    (home / "own").chmod(0o755)
    assert told(home, "privacy", network=False)[0] == "attention"


def test_code_that_is_not_allowed_is_found_before_the_node_refuses_it(home: Path) -> None:
    (home / "bundles.json").write_text(json.dumps(["cd" * 32]))
    state, what = told(home, "code")
    assert (state, "abababababababab" in what) == ("wrong", True)


def test_nobody_at_the_gate_and_a_stranger_at_the_gate(home: Path, tmp_path: Path) -> None:
    """Not answering and not the coordinator are two lines."""
    port = (home / "client.toml").read_text().split('gate = "127.0.0.1:')[1].split('"')[0]
    edit(home, f'gate = "127.0.0.1:{port}"', 'gate = "127.0.0.1:9"')
    assert "does not answer" in told(home, "gate")[1]
    assert told(home, "settings")[0] == "attention"
    edit(home, 'gate = "127.0.0.1:9"', f'gate = "127.0.0.1:{port}"')
    founded(tmp_path / "other")
    shutil.copyfile(tmp_path / "other" / "authority.crt", home / "authority.crt")
    state, what = told(home, "gate")
    assert (state, "does not show a certificate of the consortium" in what) == ("wrong", True)


def test_a_new_member_is_told_and_pinned_on_the_lenders_word(
    home: Path, running: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """`members` exits with 1 until it is pinned; a revoked one is told as gone."""
    request = asked(tmp_path / "L02", invited(running, "L02"))
    admitted(running, request.content(), now())
    assert told(home, "members")[0] == "ok"  # the demo pins nobody, unless a lender asks for it
    edit(home, "# members = ", "members = ")
    assert told(home, "members") == ("attention", "not pinned here: L02")
    assert cli.main(["members", str(home), "--json"]) == 1
    assert list(json.loads(capsys.readouterr().out)["new"]) == ["L02"]
    assert cli.main(["members", str(home), "--accept", "L02"]) == 0
    assert told(home, "members")[0] == "ok"
    revoke(running, "L02")
    assert told(home, "members") == ("attention", "pinned, and not shown any more: L02")
    assert cli.main(["members", str(home)]) == 1


def test_certificates_are_renewed_through_the_gate(home: Path, running: Path) -> None:
    """Nobody answers at the other address. A revoked member gets nothing there."""
    before = {path: path.read_bytes() for path in home.glob("*.crt")}
    assert cli.main(["renew", str(home), "--new-key"]) == 0
    after = {path: path.read_bytes() for path in home.glob("*.crt")}
    assert sorted(path.name for path in after if after[path] != before[path]) == [
        "certificate.crt",
        "transport.crt",
    ]
    assert told(home, "gate")[0] == "ok"
    line = invited(running, "L05")
    revoked = home.parent / "L05"
    finish(revoked, admitted(running, asked(revoked, line).content(), now()), now=now())
    revoke(running, "L05")
    assert cli.main(["renew", str(revoked)]) == 2


def test_versions_are_compared_with_what_is_asked_for() -> None:
    """Another Flower than the pinned one is wrong; what is installed here is right."""
    (right,) = machine.versions()
    assert right.state == "ok"
    (found,) = machine.versions(lambda name: "1.42.0" if name == "flwr" else version(name))
    assert (found.state, "flwr 1.42.0, asked for ==1.41.0" in found.what) == ("wrong", True)


@pytest.mark.parametrize(
    ("free", "state"), [(100 << 20, "wrong"), (2 << 30, "attention"), (20 << 30, "ok")]
)
def test_a_disk_that_fills_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, free: int, state: str
) -> None:
    usage = namedtuple("usage", "total used free")(1 << 40, 0, free)
    monkeypatch.setattr(machine.shutil, "disk_usage", lambda path: usage)
    assert machine.disk(tmp_path).state == state


def test_memory_is_estimated_from_the_cells() -> None:
    """Twenty million cells need about 1.8 GB."""
    assert rows.memory(20_000_000, 1 << 30).state == "attention"
    assert rows.memory(20_000_000, 4 << 30).state == "ok"
    assert "1.8 GB" in rows.memory(20_000_000, None).what


def test_a_folder_that_never_joined(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Exit status 2, and the way in is told; nothing is made there."""
    assert cli.main(["doctor", str(tmp_path)]) == 2
    assert "lianfang-client join" in capsys.readouterr().out
    assert list(tmp_path.iterdir()) == []
    assert isinstance(now(), datetime)
