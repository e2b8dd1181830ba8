"""A lender's folder has joined or has not, whatever is interrupted, tampered with or hostile."""

from __future__ import annotations

import io
import json
import tomllib
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from client import cli, joining
from client.credentials import read_members
from client.joining import BEGUN, SETTINGS, begin, finish
from client.tls import read_transport
from server import cli as server_cli
from server.consortium.admission import admitted
from server.keys import read_identity
from shared.errors import OperatorError, PeerError
from shared.identity.enrolment import signed_answer
from shared.identity.enrolment_messages import read_answer
from tests.consortium_folders import asked, enrolling, founded, invited, now, readdressed
from tests.identities import NOW


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    founded(tmp_path / "consortium", when=NOW)
    return tmp_path / "consortium"


def contents(home: Path) -> dict[str, bytes]:
    return {str(path.relative_to(home)): path.read_bytes() for path in home.rglob("*.*")}


def answered(folder: Path, home: Path) -> bytes:
    line = invited(folder, home.name, when=NOW)
    return admitted(folder, asked(home, line, when=NOW).content(), NOW)


def joined_with(folder: Path, home: Path, line: str) -> joining.Joined:
    request = begin(home, line, now=NOW)[1]
    return finish(home, admitted(folder, request.content(), NOW), now=NOW)


def test_the_folder_holds_what_a_node_needs(folder: Path, tmp_path: Path) -> None:
    """Settings, certificates that belong to the keys, the terms letter for letter; all of it the
    owner's alone, and nothing left over.
    """
    home = tmp_path / "L01"
    joined = finish(home, answered(folder, home), now=NOW)
    settings = tomllib.loads((home / SETTINGS).read_text(encoding="utf-8"))
    assert settings["lender"]["member"] == "L01"
    assert settings["node"] == {"gate": joined.consortium.gate, "enrol": joined.consortium.enrol}
    assert (home / "consortium.toml").read_bytes() == (folder / "consortium.toml").read_bytes()
    assert read_transport(home, "L01", NOW).code == "L01"
    assert read_members(home / "members.json", None) == {"L01": joined.public}
    assert {path.stat().st_mode & 0o077 for path in (home, *home.rglob("*"))} == {0}
    assert sorted(path.name for path in (home / "own").iterdir()) == [
        "identity.key",
        "node.key",
        "transport.key",
    ]


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
def test_interrupted_at_any_write_the_same_command_goes_on(
    folder: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    after: bool,
) -> None:
    """Each of its twelve writes fails in a folder of its own, for a full disk or Ctrl-C: no
    settings, hence not joined; given again it ends with the keys that were there.
    """
    write = joining.write_durably
    for at in range(12):
        home = tmp_path / f"L{at:02}"
        line, calls = invited(folder, home.name, when=NOW), iter(range(100))

        def failing(path: Path, content: bytes, at: int = at, calls: object = calls) -> None:
            due = next(calls) == at  # type: ignore[call-overload]
            if after or not due:
                write(path, content)
            if due and at % 2:
                raise KeyboardInterrupt
            if due:
                raise OSError(28, "No space left on device")

        with monkeypatch.context() as patch:
            patch.setattr(joining, "write_durably", failing)
            with pytest.raises((OperatorError, KeyboardInterrupt)):
                joined_with(folder, home, line)
        if (home / SETTINGS).exists():
            assert (at, after) == (11, True)
            continue
        keys = {path: path.read_bytes() for path in home.glob("own/*.key")}
        assert joined_with(folder, home, line).code == home.name
        assert keys.items() <= {path: path.read_bytes() for path in home.glob("own/*.key")}.items()
        assert not list(home.rglob("*.partial"))


def test_a_folder_that_is_something_elses_is_left_as_it_is(folder: Path, tmp_path: Path) -> None:
    """Joined already, with keys of its own, begun for another code: no byte changes."""
    home = tmp_path / "L01"
    finish(home, answered(folder, home), now=NOW)
    strange = tmp_path / "strange"
    (strange / "own").mkdir(parents=True)
    (strange / "own" / "identity.key").write_text("mine")
    begun = tmp_path / "begun"
    asked(begun, invited(folder, "L02", when=NOW), when=NOW)
    line = invited(folder, "L03", when=NOW)
    for place, why in (
        (home, "has joined already"),
        (strange, "belongs to something else"),
        (begun, "begun here with the invitation of L02"),
    ):
        before = contents(place)
        with pytest.raises(OperatorError, match=why):
            begin(place, line, now=NOW)
        assert contents(place) == before


def test_an_invitation_that_was_begun_in_time_may_end_late(folder: Path, tmp_path: Path) -> None:
    """A new folder is refused then: the control."""
    line, late = invited(folder, when=NOW), NOW + timedelta(days=30)
    request = asked(tmp_path / "L01", line, when=NOW)
    assert begin(tmp_path / "L01", line, now=late)[1] == request
    with pytest.raises(OperatorError, match="is expired since"):
        begin(tmp_path / "new", line, now=late)
    assert not (tmp_path / "new").exists()


def test_by_files_alone_nothing_secret_is_handed_over(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The commands, without network: request, admit, answer; the files hold no key or secret."""
    home = tmp_path / "L04"
    founded(tmp_path / "fresh")
    request, answer, line = (tmp_path / name for name in ("request", "answer", "invitation.txt"))
    line.write_text(invited(tmp_path / "fresh", "L04") + "\n")
    words = ["join", str(line), "--folder", str(home), "--offline", str(request)]
    assert cli.main([*words, "--table", "book.parquet"]) == 0
    fresh = str(tmp_path / "fresh")
    assert server_cli.main(["admit", fresh, str(request), "--out", str(answer)]) == 0
    sent = request.read_bytes() + answer.read_bytes()
    for name in ("identity.key", "transport.key", "node.key"):
        body = (home / "own" / name).read_bytes().splitlines()[1:-1]
        assert not any(part in sent for part in body)
    assert line.read_bytes().strip() not in sent
    assert cli.main(["join", str(request), "--folder", str(home)]) == 2
    assert "this is a request" in " ".join(capsys.readouterr().err.split())
    assert cli.main(["join", str(answer), "--folder", str(home)]) == 0
    settings = tomllib.loads((home / SETTINGS).read_text())
    assert settings["lender"]["table"] == "book.parquet"
    assert cli.main(["join", str(answer), "--folder", str(home)]) == 2


def changed(folder: Path, answer: bytes, **changes: object) -> bytes:
    """The answer with other entries, signed by the coordinator itself."""
    identity, _ = read_identity(folder, NOW)
    return signed_answer(replace(read_answer(answer), **changes), identity).content()


HOSTILE: list[tuple[Callable[[str], str], str]] = [
    (lambda text: "", "name is missing"),
    (lambda text: text.replace("Five lenders", "Six lenders"), "another consortium's"),
    (lambda text: text.replace('"demo"', '"lax"'), "profile is not known"),
    (lambda text: text + '\n[paths]\nout = "/etc"\n', r"\[paths\] is not known"),
    (lambda text: text.replace("127.0.0.1:18443", "../../x"), "is not HOST:PORT"),
    (lambda text: text.replace("127.0.0.1:18443", "evil.example:1"), "two addresses"),
    (lambda text: text.replace('"loan_id"', '"a\\u0000b"', 1) + "x = [", "not TOML"),
    (lambda text: "x = " + "[" * 100_000, "too deep|not TOML"),
    (lambda text: text + "#" * (1 << 20), "more than"),
]


@pytest.mark.parametrize(("change", "why"), HOSTILE)
def test_a_hostile_consortium_file_is_refused_and_nothing_written(
    folder: Path, tmp_path: Path, change: Callable[[str], str], why: str
) -> None:
    """Whatever the coordinator signs: names, paths, sizes and other sections are checked first."""
    home = tmp_path / "L01"
    answer = answered(folder, home)
    text = change(read_answer(answer).consortium)
    before = contents(home)
    with pytest.raises(PeerError, match=why):
        finish(home, changed(folder, answer, consortium=text), now=NOW)
    assert contents(home) == before
    assert finish(home, answer, now=NOW).code == "L01"


def test_an_answer_for_another_folder_or_changed_on_its_way_is_refused(
    folder: Path, tmp_path: Path
) -> None:
    """And the right one is taken after all."""
    home, other = tmp_path / "L01", tmp_path / "L02"
    answer, theirs = answered(folder, home), answered(folder, other)
    with pytest.raises(PeerError, match="for another request"):
        finish(home, theirs, now=NOW)
    flipped = answer.replace(b"127.0.0.1:18443", b"127.0.0.1:18449")
    with pytest.raises(PeerError, match="not that of the coordinator"):
        finish(home, flipped, now=NOW)
    with pytest.raises(OperatorError, match="nothing was asked from here"):
        finish(tmp_path / "empty", answer, now=NOW)
    assert not (home / SETTINGS).exists()
    assert finish(home, answer, now=NOW).code == "L01"


def test_production_pins_members_and_demo_says_that_it_does_not(tmp_path: Path) -> None:
    """The entry `members` stands in production's settings, and as a comment in the demo's."""
    found = {}
    for profile in ("demo", "production"):
        founded(tmp_path / profile, when=NOW, profile=profile)
        home = tmp_path / f"lender {profile}"
        line = invited(tmp_path / profile, when=NOW)
        request = asked(home, line, when=NOW)
        finish(home, admitted(tmp_path / profile, request.content(), NOW), now=NOW)
        found[profile] = tomllib.loads((home / SETTINGS).read_text())["lender"].get("members")
    assert found == {"demo": None, "production": "members.json"}


def test_the_command_reads_the_line_from_standard_input(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """So that it stands in no history; --json gives what a script needs."""
    founded(tmp_path / "consortium")
    with enrolling(tmp_path / "consortium") as port:
        readdressed(tmp_path / "consortium", port)
        assert server_cli.main(["invite", str(tmp_path / "consortium"), "L01", "--json"]) == 0
        line = json.loads(capsys.readouterr().out)["invitation"]
        monkeypatch.setattr("sys.stdin", io.StringIO(line + "\n"))
        home = tmp_path / "L01"
        assert cli.main(["join", "-", "--folder", str(home), "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["code"], told["profile"]) == ("L01", "demo")
    assert server_cli.main(["members", str(tmp_path / "consortium"), "--json"]) == 0
    (row,) = json.loads(capsys.readouterr().out)["members"]
    assert (row["code"], row["state"], row["fingerprint"]) == ("L01", "member", told["fingerprint"])
    assert not (home / BEGUN).exists()


@pytest.mark.parametrize(
    ("word", "why"),
    [
        ("nowhere.txt", "no file that can be read"),
        ("lianfang1.abc", "not copied whole"),
        (".", "no"),
    ],
)
def test_what_is_no_invitation_is_refused_with_what_to_give(
    tmp_path: Path, word: str, why: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["join", word, "--folder", str(tmp_path / "L01")]) == 2
    said = " ".join(capsys.readouterr().err.split())
    assert why in said
    assert "remedy" in said
    assert not (tmp_path / "L01").exists()


def test_a_clock_that_is_wrong_is_suspected(folder: Path, tmp_path: Path) -> None:
    """A year ahead: the authority itself is good, the certificates are not."""
    home = tmp_path / "L01"
    answer = answered(folder, home)
    with pytest.raises((PeerError, OperatorError), match="expired"):
        finish(home, answer, now=NOW + timedelta(days=366))
    assert now() < NOW
