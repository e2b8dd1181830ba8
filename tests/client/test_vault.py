"""The vault: whole or none, wiped means wiped, and nobody else's to read."""

from __future__ import annotations

import errno
import logging
import os
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from client.vault import Vault
from shared.errors import InternalError, OperatorError

STATE = b"what a lender keeps of a set-up"
SLOTS = [bytes([number + 1]) * 70 for number in range(5)]
FILE = "set-up.bin"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "own" / "vault"


@pytest.fixture
def vault(folder: Path) -> Vault:
    full = Vault(folder)
    full.keep(STATE, SLOTS)
    return full


def test_an_empty_vault_holds_nothing(folder: Path) -> None:
    """No state, no slot, and nothing to wipe."""
    empty = Vault(folder)
    assert empty.state() is None
    assert empty.slot(0) is None
    assert empty.slots(2) == [None, None]
    with pytest.raises(InternalError):
        empty.wipe(0)


def test_what_is_kept_is_there_also_for_the_next_process(vault: Vault, folder: Path) -> None:
    """State and every slot; none beyond the last."""
    for reader in (vault, Vault(folder)):
        assert reader.state() == STATE
        assert [reader.slot(number) for number in range(5)] == SLOTS
        assert reader.slots(5) == SLOTS
        assert reader.slots(6) == [*SLOTS, None]
        assert reader.slot(5) is None
        assert reader.slot(-1) is None


def test_a_wiped_slot_is_gone_and_the_others_are_not(vault: Vault, folder: Path) -> None:
    """Zeros lie in its place; twice is as once."""
    for _ in range(2):
        vault.wipe(2)
        left = [Vault(folder).slot(number) for number in range(5)]
        assert left == [*SLOTS[:2], None, *SLOTS[3:]] == Vault(folder).slots(5)
    content = (folder / FILE).read_bytes()
    assert SLOTS[2][:8] not in content
    assert bytes(70) in content
    assert SLOTS[3] in content  # positive control
    assert vault.state() == STATE


@settings(max_examples=50)
@given(st.binary(min_size=1), st.lists(st.binary(min_size=9, max_size=9), min_size=1), st.data())
def test_any_set_up_is_kept_as_it_was(
    tmp_path_factory: pytest.TempPathFactory, state: bytes, slots: list[bytes], data: st.DataObject
) -> None:
    """Of any sizes, with any of its slots wiped."""
    vault = Vault(tmp_path_factory.mktemp("any") / "vault")
    vault.keep(state, slots)
    wiped = data.draw(st.sets(st.integers(0, len(slots) - 1)))
    for number in wiped:
        vault.wipe(number)
    assert vault.state() == state
    expected = [None if i in wiped else slot for i, slot in enumerate(slots)]
    assert [vault.slot(i) for i in range(len(slots))] == expected


def test_a_later_set_up_replaces_everything(vault: Vault, folder: Path) -> None:
    """Fewer and longer records too; and nothing of the first is in any file."""
    vault.keep(b"another", [b"x" * 200])
    assert (vault.state(), vault.slot(0), vault.slot(1)) == (b"another", b"x" * 200, None)
    assert [path.name for path in folder.iterdir()] == [FILE]


def test_what_is_replaced_or_destroyed_is_overwritten(vault: Vault, folder: Path) -> None:
    """A name that still leads to the old file (as a snapshot would) finds zeros."""
    os.link(folder / FILE, folder.parent / "old")
    vault.keep(b"another", SLOTS)
    assert set((folder.parent / "old").read_bytes()) == {0}
    os.link(folder / FILE, folder.parent / "last")
    vault.destroy()
    assert set((folder.parent / "last").read_bytes()) == {0}
    assert vault.state() is None
    vault.destroy()  # nothing there: nothing to do


def test_only_the_owner_can_use_it(vault: Vault, folder: Path) -> None:
    """The folder and the file are made so, and refused otherwise."""
    assert folder.stat().st_mode & 0o777 == 0o700
    assert (folder / FILE).stat().st_mode & 0o777 == 0o600
    (folder / FILE).chmod(0o640)
    for use in (vault.state, lambda: vault.slot(0), lambda: vault.wipe(0)):
        with pytest.raises(OperatorError, match="others than its owner"):
            use()
    (folder / FILE).chmod(0o600)
    assert vault.state() == STATE
    folder.chmod(0o750)
    with pytest.raises(OperatorError, match="chmod go="):
        Vault(folder)


def test_a_link_in_its_place_is_not_followed(vault: Vault, folder: Path) -> None:
    """Secrets are neither read from nor written to where somebody points."""
    (folder / FILE).rename(folder.parent / "elsewhere")
    (folder / FILE).symlink_to(folder.parent / "elsewhere")
    with pytest.raises(OperatorError):
        vault.state()


@pytest.mark.parametrize(
    "damage",
    [
        lambda content: b"",
        lambda content: content[:20],
        lambda content: content[:-1],
        lambda content: content + b"\0",
        lambda content: b"x" + content[1:],
        lambda content: content.replace(b"a lender", b"another!"),
        lambda content: b"\xff" * len(content),
    ],
    ids=range(7),
)
def test_a_cut_or_edited_file_counts_as_none(
    vault: Vault,
    folder: Path,
    damage: Callable[[bytes], bytes],
    caplog: pytest.LogCaptureFixture,
) -> None:
    """And the log says so; the next set-up is kept as ever."""
    (folder / FILE).write_bytes(damage((folder / FILE).read_bytes()))
    with caplog.at_level(logging.WARNING):
        assert vault.state() is None
    assert "damaged" in caplog.text
    vault.keep(STATE, SLOTS)
    assert vault.state() == STATE


def test_a_record_that_is_not_whole_counts_as_wiped(vault: Vault, folder: Path) -> None:
    """As after a power cut in the middle of wiping."""
    content = (folder / FILE).read_bytes()
    (folder / FILE).write_bytes(content.replace(SLOTS[1], bytes(35) + SLOTS[1][35:]))
    assert vault.slot(1) is None
    assert vault.slot(2) == SLOTS[2]


@pytest.mark.parametrize("name", ["write", "fsync", "replace"])
def test_a_set_up_that_cannot_be_kept_leaves_the_one_before(
    vault: Vault, folder: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    """An OperatorError without a secret in it; the rest of the attempt is overwritten later."""

    def fail(*_: object) -> int:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patch:
        patch.setattr(os, name, fail)
        with pytest.raises(OperatorError, match="No space left"):
            vault.keep(b"another", SLOTS[:2])
    for reader in (vault, Vault(folder)):
        assert reader.state() == STATE
    assert [path.name for path in folder.iterdir()] == [FILE]  # opening cleared the attempt
    vault.keep(b"another", SLOTS[:2])
    assert vault.state() == b"another"


def test_a_write_that_takes_a_part_is_gone_on_with(
    vault: Vault, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As the system may do with any write."""
    write, pwrite = os.write, os.pwrite
    monkeypatch.setattr(os, "write", lambda handle, data: write(handle, bytes(data[:7])))
    monkeypatch.setattr(os, "pwrite", lambda handle, data, at: pwrite(handle, data[:7], at))
    vault.keep(b"another", SLOTS)
    vault.wipe(0)
    assert vault.state() == b"another"
    assert [vault.slot(number) for number in range(5)] == [None, *SLOTS[1:]]


def test_keeping_and_wiping_are_durable_when_they_return(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """New file: its content, then its name, then the folder; wiping: the zeros."""
    vault, done = Vault(folder), []

    def watched(name: str) -> Callable[..., object]:
        real = getattr(os, name)

        def call(*arguments: object) -> object:
            place = arguments[0]
            if isinstance(place, int):
                place = Path(os.readlink(f"/proc/self/fd/{place}"))
            done.append((name, Path(place).name))  # type: ignore[arg-type]
            return real(*arguments)

        return call

    for name in ("write", "pwrite", "fsync", "fdatasync", "replace"):
        monkeypatch.setattr(os, name, watched(name))
    vault.keep(STATE, SLOTS)
    partial = ".set-up.bin.partial"
    assert done == [
        ("write", partial),
        ("fsync", partial),
        ("replace", partial),
        ("fsync", "vault"),
    ]
    done.clear()
    vault.wipe(1)
    assert done == [("pwrite", FILE), ("fdatasync", FILE)]


def test_records_of_different_lengths_are_our_own_fault(vault: Vault) -> None:
    """They could not be told apart in the file."""
    with pytest.raises(InternalError):
        vault.keep(STATE, [b"xx", b"x"])
    assert vault.state() == STATE
