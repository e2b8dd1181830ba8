"""The outbox: what is appended is durable and stays; what was changed is found."""

from __future__ import annotations

import errno
import fcntl
import json
import logging
import os
import subprocess
import sys
import threading
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from client.outbox import Outbox
from client.outbox_lines import BEGINNING, Entry, line_of, read_lines
from shared.errors import InternalError, OperatorError
from shared.secure_sum.history import Record

NOW = datetime(2031, 5, 6, 7, 8, 9, 123456, tzinfo=UTC)
KEYS = Record("keys", "public keys", "ab" * 32, 4012, "cd" * 32, counter=7)
MASKED = Record(
    "masked", "rows by role", "12" * 32, 400, "cd" * 32, stage="census", payload="counts",
    set_up="34" * 32, slot=3, round="56" * 32, run="78" * 32, lenders=("L01", "L02", "L03"),
)  # fmt: skip
ANSWER = replace(
    MASKED, kind="answer", threshold=3, lenders=("L01", "L03"), released="c2hhcmVz", size=99
)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "own" / "outbox.jsonl"


def opened(path: Path) -> Outbox:
    return Outbox(path, lambda: NOW)


def filled(path: Path, *records: Record) -> Outbox:
    outbox = opened(path)
    for record in records or (KEYS, MASKED, ANSWER):
        outbox.append(record)
    return outbox


def entries(path: Path) -> list[Entry]:
    return list(read_lines(path, path.read_bytes()))


def test_records_come_back_as_they_were(path: Path) -> None:
    """Numbered, dated in UTC, each with the digest of the line before; and folded."""
    filled(path)
    found = entries(path)
    assert [entry.record for entry in found] == [KEYS, MASKED, ANSWER]
    assert [entry.number for entry in found] == [1, 2, 3]
    assert {entry.at for entry in found} == {NOW.replace(microsecond=123000)}
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    assert [line["before"] for line in lines] == [BEGINNING, *(e.digest for e in found[:-1])]
    assert "slot" not in lines[0]  # empty fields are left out
    history = opened(path).history
    assert (history.counter, list(history.answered)) == (7, [ANSWER.round])
    assert history.last_answers == {ANSWER.agreement: ANSWER}
    assert path.stat().st_mode & 0o777 == 0o600


texts, numbers = st.text(max_size=20), st.integers(-(2**40), 2**40)
records = st.builds(
    Record,
    st.sampled_from(["keys", "shares", "ready", "masked", "answer", "refusal", "sum"]),
    texts, texts, numbers, texts, texts, texts, numbers, texts, numbers, texts, texts, numbers,
    st.lists(texts, max_size=4).map(tuple), texts,
)  # fmt: skip
moments = st.datetimes(
    datetime(2020, 1, 1), datetime(2090, 1, 1),
    timezones=st.sampled_from([UTC, timezone(timedelta(hours=8))]),
)  # fmt: skip


@settings(max_examples=100)
@given(st.lists(st.tuples(moments, records), max_size=4))
def test_any_record_has_one_line_that_reads_back(told: list[tuple[datetime, Record]]) -> None:
    """Whatever is in its texts: line ends, quotes, other alphabets."""
    before, content = BEGINNING, b""
    for number, (at, record) in enumerate(told, start=1):
        line = line_of(number, at, record, before)
        (entry,) = read_lines(
            Path("x"), line + b"\n", Entry(number - 1, at, record, before) if number > 1 else None
        )
        assert entry.record == record
        assert abs(entry.at - at) < timedelta(milliseconds=1)
        before, content = entry.digest, content + line + b"\n"
    assert [e.record for e in read_lines(Path("x"), content)] == [record for _, record in told]


def change(number: int, old: bytes, new: bytes) -> Callable[[list[bytes]], list[bytes]]:
    def changed(lines: list[bytes]) -> list[bytes]:
        assert old in lines[number]
        return [line.replace(old, new, 1) if i == number else line for i, line in enumerate(lines)]

    return changed


@pytest.mark.parametrize(
    ("damage", "line"),
    [
        (change(0, b"4012", b"4013"), 1),
        (change(1, b"rows", b"Rows"), 2),
        (change(2, b'"number":3', b'"number":4'), 3),
        (change(2, b'"number":3', b'"number": 3'), 3),
        (change(2, b'"kind":"answer"', b'"kind":"reply"'), 3),
        (change(2, b'"size":99', b'"size":99,"more":1'), 3),
        (change(2, b'"size":99', b'"size":"99"'), 3),
        (change(2, b'"size":99', b'"size":true'), 3),
        (change(2, b'["L01","L03"]', b'["L01",3]'), 3),
        (change(2, b'["L01","L03"]', b'"L01"'), 3),
        (change(2, b'["L01","L03"]', b"3"), 3),
        (change(2, b"+00:00", b"+08:00"), 3),
        (change(2, b"+00:00", b""), 3),
        (change(2, b'"slot":3', b'"slot":3,"stage":""'), 3),
        (lambda lines: lines[1:], 1),
        (lambda lines: [lines[0], lines[2]], 2),
        (lambda lines: [lines[0], lines[2], lines[1]], 2),
        (lambda lines: [lines[0], *lines], 2),
        (lambda lines: [lines[0], b"", *lines[1:]], 2),
        (lambda lines: [lines[0], b"[]", *lines[1:]], 2),
        (lambda lines: [lines[0], b"{}", *lines[1:]], 2),
        (lambda lines: [lines[0], b"[" * 100_000, *lines[1:]], 2),
        (lambda lines: [lines[0], b"\xff\xfe", *lines[1:]], 2),
    ],
    ids=range(23),
)
def test_damage_stops_the_lender_and_is_named(
    path: Path, damage: Callable[[list[bytes]], list[bytes]], line: int
) -> None:
    """By file and line, with what to do; the file stays as it is."""
    filled(path).close()
    lines = path.read_bytes().splitlines()
    path.write_bytes(b"\n".join(damage(lines)) + b"\n")
    damaged = path.read_bytes()
    for _ in range(2):
        with pytest.raises(OperatorError, match=f"outbox.jsonl, line {line}:") as caught:
            opened(path)
        assert "vault" in caught.value.remedy
    assert path.read_bytes() == damaged


@pytest.mark.parametrize("keep", [1, 40, -1])
def test_a_cut_last_line_is_removed_and_told(
    path: Path, keep: int, caplog: pytest.LogCaptureFixture
) -> None:
    """Nothing left on it: its answer would have come after it was whole."""
    filled(path).close()
    whole = path.read_bytes()
    at = whole.rfind(b"\n", 0, -1) + 1
    path.write_bytes(whole[:at] + whole[at:][:keep])
    with caplog.at_level(logging.WARNING):
        outbox = opened(path)
    assert "cut off before anything left" in caplog.text
    assert path.read_bytes() == whole[:at]
    outbox.append(ANSWER)
    assert path.read_bytes() == whole


def test_zeros_at_the_end_are_a_cut_line(path: Path) -> None:
    """As some file systems leave them after a power cut."""
    filled(path).close()
    whole = path.read_bytes()
    path.write_bytes(whole + bytes(4096))
    opened(path)
    assert path.read_bytes() == whole


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EIO, errno.EDQUOT])
def test_a_line_the_disk_does_not_take_is_taken_back(
    path: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    """Half of it written, then an error: the file and the history are as before."""
    outbox, write, calls = filled(path, KEYS), os.write, []

    def half(handle: int, data: memoryview) -> int:
        calls.append(data)
        if len(calls) == 2:
            raise OSError(number, os.strerror(number))
        return write(handle, data[:50])

    before = path.read_bytes()
    with monkeypatch.context() as patch:
        patch.setattr(os, "write", half)
        with pytest.raises(OperatorError, match=r"nothing was sent"):
            outbox.append(MASKED)
    assert len(calls) == 2
    assert path.read_bytes() == before
    assert outbox.history.masked == {}
    outbox.append(MASKED)
    assert [entry.record for entry in entries(path)] == [KEYS, MASKED]


def test_a_line_that_cannot_even_be_taken_back_is_read_again(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """fdatasync and ftruncate fail: whatever lies there is what the next line follows."""
    outbox = filled(path, KEYS)

    def fail(*_: object) -> None:
        raise OSError(errno.EIO, "Input/output error")

    with monkeypatch.context() as patch:
        patch.setattr(os, "fdatasync", fail)
        patch.setattr(os, "ftruncate", fail)
        with pytest.raises(OperatorError):
            outbox.append(MASKED)
    outbox.append(ANSWER)
    assert [entry.record for entry in entries(path)] == [KEYS, MASKED, ANSWER]
    assert list(outbox.history.masked) == [MASKED.round]


def test_lines_of_another_process_are_taken_in(path: Path) -> None:
    """By whoever asks or appends next; `locked` says that there were some."""
    ours, other = opened(path), opened(path)
    with ours.locked() as news:
        assert not news
    other.append(KEYS)
    with ours.locked() as news:
        assert news
        with ours.locked() as again:
            assert not again
    assert ours.history.counter == 7
    other.append(MASKED)
    assert list(ours.history.masked) == [MASKED.round]
    ours.append(ANSWER)
    other.append(KEYS)
    assert [entry.number for entry in entries(path)] == [1, 2, 3, 4]


def test_one_exchange_at_a_time_across_processes(path: Path) -> None:
    """A process of the same lender waits until the lock is let go."""
    outbox = opened(path)
    program = (
        "import sys, fcntl, os\n"
        "handle = os.open(sys.argv[1], os.O_RDWR)\n"
        "try: fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)\n"
        "except BlockingIOError: sys.exit(7)\n"
    )

    def tried() -> int:
        return subprocess.run([sys.executable, "-c", program, str(path)], check=False).returncode

    with outbox.locked():
        assert tried() == 7
    assert tried() == 0


def test_a_file_system_without_locks_is_refused(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two processes could then answer for one slot."""

    def fail(*_: object) -> None:
        raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))

    monkeypatch.setattr(fcntl, "flock", fail)
    with pytest.raises(OperatorError, match="cannot be locked"):
        opened(path)


def test_many_threads_make_one_chain(path: Path) -> None:
    """Four of them, two on one outbox and two on outboxes of their own."""
    shared = opened(path)

    def work(outbox: Outbox) -> None:
        for _ in range(25):
            with outbox.locked():
                outbox.append(KEYS)

    threads = [
        threading.Thread(target=work, args=(outbox,))
        for outbox in (shared, shared, opened(path), opened(path))
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [entry.number for entry in entries(path)] == list(range(1, 101))


def test_an_outbox_put_away_or_cut_while_open_stops_the_lender(path: Path) -> None:
    """What it told is no longer known, so nothing more leaves."""
    outbox = filled(path)
    content = path.read_bytes()
    path.rename(path.with_name("elsewhere"))
    with pytest.raises(OperatorError, match="moved or replaced"):
        outbox.append(KEYS)
    path.write_bytes(content)  # a copy is another file
    with pytest.raises(OperatorError, match="moved or replaced"):
        outbox.append(KEYS)
    path.with_name("elsewhere").replace(path)
    outbox.append(KEYS)
    os.truncate(path, 30)
    with pytest.raises(OperatorError, match="are gone"):
        outbox.append(KEYS)


def test_a_closed_outbox_takes_nothing(path: Path) -> None:
    """Its file's number may be another file's by now."""
    outbox = filled(path)
    outbox.close()
    outbox.close()
    with pytest.raises(InternalError, match="closed"):
        outbox.append(KEYS)
    assert len(entries(path)) == 3


def test_an_outbox_that_cannot_be_opened_is_the_operators_to_mend(path: Path) -> None:
    """A folder in its place, or a link to somewhere else."""
    path.mkdir(parents=True)
    with pytest.raises(OperatorError, match="cannot be opened"):
        opened(path)
    path.rmdir()
    path.symlink_to(path.with_name("elsewhere"))
    with pytest.raises(OperatorError, match="cannot be opened"):
        opened(path)
    assert not path.with_name("elsewhere").exists()


def test_a_new_outbox_is_durable_before_its_first_line(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its name is in the folder for good."""
    synced: list[str] = []
    real = os.fsync

    def watched(handle: int) -> None:
        synced.append(Path(os.readlink(f"/proc/self/fd/{handle}")).name)
        real(handle)

    monkeypatch.setattr(os, "fsync", watched)
    opened(path)
    assert synced == ["own"]
