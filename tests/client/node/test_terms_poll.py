"""The coordinator's lists neither end a lender's thread nor fill its disk, log or terminal."""

from __future__ import annotations

import json
import logging
import socket
from pathlib import Path
from types import SimpleNamespace

import pytest

import client.terms
from client.node import telling
from client.node.mutual import Mutual
from client.node.telling import Telling
from client.node.terms_poll import TermsPoll
from shared.errors import PeerError
from shared.training.consortium import Consortium
from tests.client.test_terms import OURS

ALLOWED = "ab" * 32


class Gate(TermsPoll):
    """A poll whose gate answers with what `answers` holds."""

    def __init__(self, folder: Path, consortium: Consortium = OURS) -> None:
        (folder / "bundles.json").write_text(json.dumps([ALLOWED]))
        super().__init__(folder, Mutual(folder), "127.0.0.1:9", consortium)
        self.answers: dict[str, bytes] = {}
        self.bundles(ALLOWED)
        self.runs()

    def bundles(self, *listed: str) -> None:
        """List these."""
        self.answers["/lianfang/bundles"] = json.dumps(listed).encode()

    def runs(self, *seeds: int) -> list[str]:
        """List and show open runs of these seeds; their digests."""
        terms = {made.digest(): made for made in (OURS.agreement(seed=seed) for seed in seeds)}
        for digest, made in terms.items():
            self.answers[f"/lianfang/terms/{digest}"] = json.dumps(made.to_dict()).encode()
        self.answers["/lianfang/terms"] = json.dumps(list(terms)).encode()
        return list(terms)

    def kept(self) -> set[str]:
        """Digests of the terms in the folder."""
        return {path.stem for path in (self._folder / "terms").glob("*")}

    def _get(self, path: str) -> bytes:
        if path not in self.answers:
            raise PeerError("it answers 403")  # as a gate that does not have the page
        return self.answers[path]


def test_only_so_many_terms_are_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Those of runs that are over make room; more open runs than that are refused, told once."""
    monkeypatch.setattr(client.terms, "MOST_KEPT", 3)
    gate = Gate(tmp_path)
    for first in range(6):
        listed = gate.runs(first, first + 1)
        gate.look()
        assert set(listed) <= gate.kept()
        assert len(gate.kept()) <= 3
    listed = gate.runs(*range(10, 15))
    gate.look()
    gate.look()
    assert gate.kept() == set(listed[:3])
    assert caplog.text.count("too many open runs") == 1


def test_terms_that_are_none_do_not_hold_up_others(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """They are told once, and those beside them kept."""
    gate = Gate(tmp_path)
    bad, good = gate.runs(1, 2)
    gate.answers[f"/lianfang/terms/{bad}"] = b"[" * 100_000
    gate.look()
    gate.look()
    assert gate.kept() == {good}
    assert caplog.text.count("what was shown is no agreement") == 1


def test_a_bundle_that_is_no_digest_is_refused_untold(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """One that is a digest, and not allowed, is told (control)."""
    gate = Gate(tmp_path)
    gate.bundles("\x1b[2J all is well")
    with pytest.raises(PeerError, match="something else than digests"):
        gate.look()
    assert "well" not in caplog.text
    gate.bundles("cd" * 32)
    gate.look()
    assert f"bundle {'cd' * 32} is not allowed here" in caplog.text


@pytest.mark.parametrize("error", [RecursionError(), MemoryError(), ZeroDivisionError("secret")])
def test_nothing_unforeseen_ends_the_thread(
    tmp_path: Path, error: Exception, caplog: pytest.LogCaptureFixture
) -> None:
    """It is told by kind and place, without its text, and the next look is made."""
    gate = Gate(tmp_path)
    looks = iter([error, None])

    def look() -> None:
        now = next(looks)
        if now is not None:
            raise now
        gate._ended.set()

    gate.look = look  # type: ignore[method-assign]
    gate._ended.wait = lambda seconds=None: gate._ended.is_set()  # type: ignore[method-assign]
    gate._run()
    assert gate.ready.is_set()
    assert f"{type(error).__name__} at test_terms_poll.py" in caplog.text
    assert "secret" not in caplog.text


def test_what_is_told_and_remembered_is_bounded(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """A hundred lines an hour, the last of which says so; the oldest is forgotten first."""
    monkeypatch.setattr(telling, "MOST_TOLD", 150)
    now = [0.0]
    told = Telling(logging.getLogger("lianfang.told"), clock=lambda: now[0])
    for number in range(200):
        told.once(f"{number}", f"number {number}")
    assert len(caplog.records) == 100
    assert "more to tell" in caplog.records[-1].message
    assert sum(f"{number}" in told for number in range(200)) == 150
    assert "199" in told
    now[0] += 3600.0
    told.once("199", "again")
    told.once("new", "the next hour")
    assert [record.message for record in caplog.records[100:]] == ["the next hour"]


@pytest.mark.parametrize(
    ("said", "revoked"),
    [("this certificate was revoked", True), ("this certificate has ended", False)],
)
def test_a_lender_that_is_revoked_hears_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, said: str, revoked: bool
) -> None:
    """Another refusal is none of that: certificates that ended can be renewed."""
    poll = TermsPoll(tmp_path, Mutual(tmp_path), "127.0.0.1:9", OURS)
    answer = SimpleNamespace(status=401, read=lambda *_: json.dumps({"error": said}).encode())
    with socket.socket() as unused:
        connection = SimpleNamespace(
            sock=unused, request=lambda *_: None, getresponse=lambda: answer
        )
        monkeypatch.setattr(poll, "_connected", lambda: connection)
        with pytest.raises(PeerError, match=said):
            poll.look()
    assert poll.revoked.is_set() is revoked
