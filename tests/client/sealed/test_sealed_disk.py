"""A lender in secure sums survives a disk that is full or broken and a kill at any point."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from client.outbox_table import read_outbox
from client.vault import Vault
from shared.errors import OperatorError
from shared.secure_sum.statements import Answer, MaskedInput
from shared.secure_sum.suite import STANDARD
from shared.wire.messages import Question, Reply
from tests.client.sealed.sealed_replies import total_of
from tests.client.sealed_consortium import SealedConsortium


def fail(number: int) -> Callable[..., int]:
    def failing(*_: object) -> int:
        raise OSError(number, os.strerror(number))

    return failing


@pytest.mark.parametrize("name", ["write", "fdatasync"])
@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EIO])
@pytest.mark.parametrize("point", range(5))
def test_what_the_disk_does_not_take_does_not_leave(
    consortium: SealedConsortium,
    monkeypatch: pytest.MonkeyPatch,
    name: str,
    number: int,
    point: int,
) -> None:
    """At any of the five exchanges: an OperatorError, no reply, the journal as before; once the
    disk is mended the very same question is answered, also after a restart.
    """
    asked, home = consortium.asked, consortium.folders["L01"]
    journal = home / "own" / "outbox.jsonl"

    def tried(code: str, question: Question) -> Reply:
        nonlocal point
        point -= code == "L01"
        if point == -1 and code == "L01":
            before = journal.read_bytes()
            with monkeypatch.context() as patch:
                patch.setattr(os, name, fail(number))
                with pytest.raises(OperatorError, match=os.strerror(number)):
                    asked(code, question)
            assert journal.read_bytes() == before
            if number == errno.EIO:
                consortium.restart(code)
        return asked(code, question)

    monkeypatch.setattr(consortium, "asked", tried)
    consortium.make_set_up()
    expected = total_of(consortium)
    assert consortium.stage().tobytes() == expected.tobytes()
    assert point < 0


class KilledError(BaseException):
    """As SIGKILL: nothing of ours catches it."""


def test_killed_between_the_record_and_the_wiping(
    consortium: SealedConsortium, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The next process wipes the slot on opening, and gives the answer that is in the journal."""
    consortium.make_set_up()
    closed = consortium.collected()
    vault = Vault(consortium.folders["L01"] / "own" / "vault")

    def killed(*_: object) -> None:
        raise KilledError

    with monkeypatch.context() as patch:
        patch.setattr(Vault, "wipe", killed)
        with pytest.raises(KilledError):
            consortium.asked("L01", closed.survivors)
    assert vault.slot(0) is not None  # positive control: the secrets are still there
    released = read_outbox(consortium.folders["L01"]).entries[-1].record.released
    consortium.restart("L01")
    first = consortium.asked("L01", closed.survivors)
    assert vault.slot(0) is None
    again = consortium.asked("L01", closed.survivors)
    assert isinstance(first, Answer)
    assert first == again
    assert released == read_outbox(consortium.folders["L01"]).entries[-1].record.released
    consortium.total(closed)
    consortium.to_the_end()


@pytest.mark.parametrize("exchange", range(3))
def test_killed_between_the_vault_and_the_record(
    consortium: SealedConsortium, monkeypatch: pytest.MonkeyPatch, exchange: int
) -> None:
    """At each exchange of a set-up: nothing left, and the same question is answered after."""
    real, seen = Vault.keep, []

    def killed(self: Vault, state: bytes, slots: list[bytes]) -> None:
        real(self, state, slots)
        seen.append(self)
        if len(seen) == exchange + 1:
            raise KilledError

    asked = consortium.asked

    def tried(code: str, question: Question) -> Reply:
        with monkeypatch.context() as patch:
            patch.setattr(Vault, "keep", killed if code == "L01" else real)
            try:
                return asked(code, question)
            except KilledError:
                consortium.restart(code)
        return asked(code, question)

    monkeypatch.setattr(consortium, "asked", tried)
    consortium.make_set_up()
    assert len(seen) >= exchange + 1
    expected = total_of(consortium)
    assert consortium.stage().tobytes() == expected.tobytes()


def test_the_disk_has_the_record_before_anything_else_happens(
    consortium: SealedConsortium, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Masked numbers: line, fdatasync, then the reply. An answer: line, fdatasync, zeros over the
    secrets, fdatasync, then the reply.
    """
    consortium.make_set_up()
    real = {name: getattr(os, name) for name in ("write", "pwrite", "fdatasync")}
    done: list[tuple[str, str]] = []

    def watched(name: str) -> Callable[..., int]:
        def call(handle: int, *rest: object) -> int:
            done.append((name, Path(os.readlink(f"/proc/self/fd/{handle}")).name))
            return real[name](handle, *rest)

        return call

    for name in real:
        monkeypatch.setattr(os, name, watched(name))
    signs = STANDARD.__class__.sign

    def sign(self: object, *rest: object) -> bytes:
        done.append(("sign", ""))
        return signs(self, *rest)  # type: ignore[arg-type]

    monkeypatch.setattr(STANDARD.__class__, "sign", sign)
    opened = consortium.opened()
    ask = consortium.ask(opened)
    done.clear()
    masked = consortium.asked("L01", ask)
    journal, vault = "outbox.jsonl", "set-up.bin"
    assert isinstance(masked, MaskedInput)
    assert done == [("write", journal), ("fdatasync", journal), ("sign", "")]
    consortium.slot -= 1
    closed = consortium.collected()
    done.clear()
    assert isinstance(consortium.asked("L01", closed.survivors), Answer)
    assert done == [
        ("write", journal), ("fdatasync", journal),
        ("pwrite", vault), ("fdatasync", vault), ("sign", ""),
    ]  # fmt: skip
