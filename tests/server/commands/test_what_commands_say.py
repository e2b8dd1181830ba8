"""Help with examples everywhere, errors for scripts, and a share that is not wiped by mistake."""

from __future__ import annotations

import argparse
import json
import os
import re
import signal
import threading
from datetime import timedelta
from pathlib import Path

import pytest

from server.cli import main
from server.commands import serving
from tests.server.keyholder.key_holders import locals_of, relay_between, served


@pytest.mark.parametrize(
    "words",
    [
        *("authority create", "authority enrol", "keyholder init", "keyholder serve"),
        *("keyholder retire", "registry init", "registry serve", "keys init", "keys generate"),
        *("keys refresh", "keys rotate", "keys status", "demo", "status", "verify"),
        *("cases init", "cases open", "cases serve", "cases status"),
        *("borrowing init", "borrowing serve"),
    ],
)
def test_every_help_has_examples(words: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Of the command itself, not only of the group it is in."""
    with pytest.raises(SystemExit) as ended:
        main([*words.split(), "-h"])
    assert ended.value.code == 0
    told = capsys.readouterr().out
    assert "examples" in told
    assert f"lianfang-server {words}" in told


def test_an_error_is_also_a_line_of_json_where_json_was_asked_for(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The same words and exit status; without --json standard output stays empty."""
    words = ["keys", "status", str(tmp_path)]
    assert main([*words, "--json"]) == 2
    printed = capsys.readouterr()
    said = json.loads(printed.out)
    assert {*said} == {"error", "remedy"}
    assert said["error"] in printed.err
    assert main(words) == 2
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ("keyholder init /srv/k1", "--code, --context, --threshold are missing"),
        ("keys refresh", "folder is missing"),
        ("registry serve /srv/r1 --lissten a:1", "did you mean --listen?"),
        ("demo --seed one", "--seed: 'one' is no whole number"),
        ("keyholder retire /srv/k1 two --yes", "epoch: 'two' is no whole number"),
        ("authority enrol a b --code X --role landlord", "--role: 'landlord' is not one of its"),
    ],
)
def test_a_wrong_word_is_one_sentence_with_a_remedy_and_exit_status_2(
    words: str, told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Without a block of usage; with --json a line of JSON too."""
    assert main(words.split()) == 2
    printed = capsys.readouterr()
    assert told in printed.err
    assert "usage:" not in printed.err
    assert len(printed.err.splitlines()) == 2
    assert main([*words.split(), "--json"]) == 2
    assert {*json.loads(capsys.readouterr().out)} == {"error", "remedy"}


def test_a_share_is_wiped_only_when_somebody_says_that_it_was_checked(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """After the grace days and without --yes the share is there, and it says what to check; with it
    the share goes.
    """
    holders = locals_of(tmp_path)
    relay = relay_between(holders)
    relay.generate()
    relay.rotate()
    one = holders["K1"]
    later = one.clock() + timedelta(days=40)
    monkeypatch.setattr("server.commands.serving.now", lambda: later)
    words = ["keyholder", "retire", str(one.folder), "1"]
    assert main(words) == 2
    told = capsys.readouterr().err
    assert "list sync --json" in told
    assert "--yes" in told
    in_use = [signed.keys.epoch for signed in one.holder.shares.answered_for()]
    assert sorted(in_use) == [1, 2]
    assert main([*words, "--yes"]) == 0
    assert [signed.keys.epoch for signed in one.holder.shares.answered_for()] == [2]


def test_a_ceremony_tells_every_step(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Five of each holder, whichever ceremony."""
    from server.commands import keys

    told: list[int] = []
    totals: list[int] = []
    usual = keys._Counted

    def counted(holder, tell):  # type: ignore[no-untyped-def]
        def both(done: int) -> None:
            told.append(done)
            tell(done)

        return usual(holder, both)

    monkeypatch.setattr(keys, "_Counted", counted)
    with served(tmp_path, profile="demo") as (running, _):
        folder = tmp_path / "C1"
        lines = [f'{code} = "127.0.0.1:{one.port}"\n' for code, one in running.items()]
        text = '[keys]\ncontext = "Ring watch"\nthreshold = 2\n[holders]\n' + "".join(lines)
        (folder / "keys.toml").write_text(text)
        for name in ("generate", "refresh", "rotate"):
            assert main(["keys", name, str(folder)]) == 0
            totals.append(sum(told))
            told.clear()
    assert totals == [keys._STEPS * 3] * 3


@pytest.mark.parametrize("service", serving.PORTS)
def test_a_service_has_one_port_of_its_own_wherever_it_is_named(
    service: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """In its help, its examples and every document; no other service has it."""
    port = str(serving.PORTS[service])
    with pytest.raises(SystemExit):
        main([service, "serve", "-h"])
    told = capsys.readouterr().out
    assert set(re.findall(r"\b74\d\d\b", told)) == {port}
    assert [*serving.PORTS.values()].count(int(port)) == 1
    root = Path(__file__).parents[3]
    texts = [path.read_text() for path in (*(root / "docs").rglob("*.md"), root / "README.md")]
    said = re.findall(rf"{service} serve \S+ --listen \S+:(\d+)", "\n".join(texts))
    assert set(said) <= {port}


def test_what_lenders_write_is_where_services_listen() -> None:
    """Addresses in the lenders' page are those of the services' own ports."""
    page = (Path(__file__).parents[3] / "docs/institution.md").read_text()
    for section, service in (("registry",) * 2, ("cases",) * 2, ("borrowing",) * 2):
        (port,) = re.findall(rf"\[{section}\]\ncode +=.*\naddress = \"\S+:(\d+)\"", page)
        assert int(port) == serving.PORTS[service]


@pytest.mark.parametrize("service", ["keyholder", "registry"])
def test_a_service_without_a_folder_or_an_address_says_what_to_write(
    service: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """No such folder: how it is made; a port alone: HOST:PORT. Exit status 2."""
    assert main([service, "serve", str(tmp_path / "nowhere")]) == 2
    told = capsys.readouterr().err
    assert "there is no such folder" in told
    assert f"lianfang-server {service} init" in told
    (tmp_path / f"{service}.toml").write_text("")
    assert main([service, "serve", str(tmp_path), "--listen", "7443"]) == 2
    assert "write HOST:PORT" in capsys.readouterr().err


class Stopped:
    """A service that counts how often it is stopped."""

    port, times = 7443, 0

    def stop(self) -> None:
        self.times += 1


def test_two_signals_at_once_end_a_service_once(tmp_path: Path) -> None:
    """The handler takes no lock that the interrupted code may hold."""
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    service = Stopped()
    arguments = argparse.Namespace(
        folder=tmp_path, listen="127.0.0.1:0", until_input_closes=False, json=True
    )

    def tell() -> None:
        for _ in range(2):
            os.kill(os.getpid(), signal.SIGTERM)

    timer = threading.Timer(0.3, tell)
    timer.start()
    try:
        assert serving.run(service, "K1", arguments, lambda *_: Stopped()) == 0
    finally:
        timer.join()
        for number, handler in before.items():
            signal.signal(number, handler)
    assert service.times == 1
