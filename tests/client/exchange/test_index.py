"""The lender's copy of the list: exact, whole or not at all, never served damaged."""

import os
from collections.abc import Iterator
from pathlib import Path
from unittest.mock import patch

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from client.exchange.array_file import DamagedFileError
from client.exchange.index import CURRENT, ListIndex
from shared.blacklist.rows import Changes, Flag, Row, changes_of
from shared.errors import InternalError, OperatorError, PeerError
from tests.client.exchange.rows_made import random_table, row, tag, tags


class NaiveList:
    """The twin: a set of rows."""

    def __init__(self) -> None:
        self.rows: set[Row] = set()

    def apply(self, changes: Changes) -> None:
        self.rows = {r for r in self.rows if r.tag not in set(changes.dropped)} | set(changes.added)

    def find(self, number: int) -> list[Row]:
        return sorted(r for r in self.rows if r.tag == tag(number))


def found(index: ListIndex, numbers: list[int]) -> list[list[Row]]:
    pairs = index.find(tags(*numbers))
    out: list[list[Row]] = [[] for _ in numbers]
    for asked, at in zip(pairs.asked, pairs.found, strict=True):
        out[asked].append(index.row(int(at)))
    return [sorted(rows) for rows in out]


NUMBERS = st.integers(0, 40)
ROWS = st.builds(row, NUMBERS, st.integers(0, 3), st.sampled_from([Flag(0), Flag.DISPUTED]))
DELTAS = st.lists(
    st.tuples(st.sets(NUMBERS, max_size=8), st.lists(ROWS, max_size=12)), min_size=1, max_size=6
)


@settings(max_examples=30)
@given(st.lists(ROWS, max_size=40), DELTAS, st.integers(0, 12))
def test_the_index_equals_a_naive_set(
    tmp_path_factory: pytest.TempPathFactory,
    first: list[Row],
    deltas: list[tuple[set[int], list[Row]]],
    least_merge: int,
) -> None:
    """After every delta, merged or not, reopened or not, the index and a set of rows agree."""
    with patch("os.fsync"):  # nothing here is about power
        _compare(tmp_path_factory.mktemp("list"), first, deltas, least_merge)


def _compare(
    folder: Path, first: list[Row], deltas: list[tuple[set[int], list[Row]]], least_merge: int
) -> None:
    index, naive = ListIndex(folder, least_merge=least_merge), NaiveList()
    naive.rows = set(first)
    index.replace(naive.rows, 1)
    everything = list(range(-3, 45))
    for version, (dropped, added) in enumerate(deltas, 2):
        alive = {r.tag for r in naive.rows} - set(map(tag, dropped))
        fresh = {r for r in added if r.tag not in alive}
        changes = changes_of(map(tag, dropped), fresh)
        index.apply(changes, version)
        naive.apply(changes)
        for opened in (index, ListIndex(folder)):
            assert opened.version == version
            assert len(opened) == len(naive.rows)
            assert opened.rows() == sorted(naive.rows)
            asked = [n for n in everything if n >= 0]
            assert found(opened, asked) == [naive.find(n) for n in asked]


def test_a_hundred_thousand_against_a_hundred_thousand_equals_sets(tmp_path: Path) -> None:
    """With half of the book on the list, the matches are those of a Python set, in book order."""
    rng = np.random.default_rng(7)
    table = random_table(100_000, rng)
    index = ListIndex(tmp_path / "list")
    index.replace(table, 1)
    book = np.concatenate([table.tag[::2], rng.integers(0, 256, (50_000, 32), dtype=np.uint8)])
    book = book[rng.permutation(len(book))]
    listed = {one.tobytes() for one in table.tag}
    expected = [at for at, one in enumerate(book) if one.tobytes() in listed]
    pairs = index.find(book)
    assert pairs.asked.tolist() == expected
    assert (table.tag[pairs.found] == book[pairs.asked]).all()


def test_only_whole_tags_match(tmp_path: Path) -> None:
    """A tag that shares the first eight bytes, or all bytes but the last, is not found."""
    index = ListIndex(tmp_path / "list")
    index.replace([row(3)], 1)
    near = tags(3, 3, 4).copy()
    near[1, 31] ^= 1
    assert index.find(near).asked.tolist() == [0]


def test_an_empty_list_finds_nothing(tmp_path: Path) -> None:
    """Before the first sync, and for no question at all, nothing is found."""
    index = ListIndex(tmp_path / "list")
    assert (index.version, len(index)) == (0, 0)
    assert index.find(tags(1, 2)).asked.size == 0
    index.replace([row(1)], 1)
    assert index.find(np.zeros((0, 32), np.uint8)).asked.size == 0


def _filled(folder: Path) -> ListIndex:
    """Version 2: a base and an overlay with added and dropped rows."""
    index = ListIndex(folder)
    index.replace([row(n) for n in range(300)], 1)
    index.apply(changes_of([tag(5)], [row(n, 1) for n in range(400, 450)]), 2)
    return index


@pytest.mark.parametrize("name", ["base-1.bin", "overlay-2.bin", CURRENT])
def test_a_flipped_byte_is_never_served(tmp_path: Path, name: str) -> None:
    """Wherever a byte of a file is flipped, the list is refused or every answer is the true one."""
    index = _filled(tmp_path / "list")
    asked = list(range(450))
    expected = found(index, asked)
    path = tmp_path / "list" / name
    whole = path.read_bytes()
    detected = 0
    for at in np.linspace(0, len(whole) - 1, 60).astype(int):
        damaged = bytearray(whole)
        damaged[at] ^= 0x10
        path.write_bytes(damaged)
        try:
            assert found(ListIndex(tmp_path / "list"), asked) == expected
        except DamagedFileError:
            detected += 1
    assert detected > 30  # the rest fell between two arrays


def test_without_the_digests_a_flipped_byte_is_served(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Positive control: the same flip in a tag makes a listed subject disappear."""
    _filled(tmp_path / "list")
    path = tmp_path / "list" / "base-1.bin"
    whole = bytearray(path.read_bytes())
    at = whole.find(tag(100)[8:])
    whole[at + 3] ^= 0x10
    path.write_bytes(whole)
    with pytest.raises(DamagedFileError):
        ListIndex(tmp_path / "list")
    monkeypatch.setattr("client.exchange.array_file._checked", _unchecked)
    assert found(ListIndex(tmp_path / "list"), [100]) == [[]]


def _unchecked(
    content: np.ndarray, dtype: str, shape: list[int], offset: int, digest: str
) -> np.ndarray:
    size = np.dtype(dtype).itemsize * int(np.prod(shape))
    return np.asarray(content[offset : offset + size]).view(dtype).reshape(shape)


@pytest.mark.parametrize("name", ["base-1.bin", "overlay-2.bin"])
@pytest.mark.parametrize("left", [0, 100, 9000])
def test_a_file_cut_short_or_gone_is_refused(tmp_path: Path, name: str, left: int) -> None:
    """A file that lost its end, or is not there, is a named error with a remedy."""
    _filled(tmp_path / "list")
    path = tmp_path / "list" / name
    path.write_bytes(path.read_bytes()[:left])
    with pytest.raises(DamagedFileError):
        ListIndex(tmp_path / "list")
    path.unlink()
    with pytest.raises(DamagedFileError, match="incomplete"):
        ListIndex(tmp_path / "list")


@pytest.mark.parametrize("least_merge", [1, 10_000])
def test_a_crash_at_any_write_leaves_the_old_or_the_new_version(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, least_merge: int
) -> None:
    """Whichever step of applying a delta fails, the list that is there afterwards is whole."""
    changes = changes_of([tag(7)], [row(1000, 2)])
    step = 0
    while True:
        folder = tmp_path / str(step)
        index = _filled(folder)
        old, asked = index.rows(), [7, 1000]
        index = ListIndex(folder, least_merge=least_merge)
        with monkeypatch.context() as patched:
            fuse = _Fuse(step)
            for name in ("replace", "fsync", "write"):
                patched.setattr(os, name, fuse.guard(getattr(os, name)))
            try:
                index.apply(changes, 3)
                failed = False
            except OperatorError:
                failed = True
        after = ListIndex(folder)
        new = sorted([r for r in old if r.tag != tag(7)] + [row(1000, 2)])
        assert (after.version, after.rows()) in ((2, old), (3, new))
        if failed and after.version == 2:
            assert found(index, asked) == found(after, asked)  # still answers, from the old one
            index.apply(changes, 3)
            assert ListIndex(folder).rows() == new
        if not failed:
            assert step > 5
            return
        step += 1


class _Fuse:
    """Lets some calls through, then every one fails, as on a full disk."""

    def __init__(self, calls: int) -> None:
        self.left = calls

    def guard(self, function):  # type: ignore[no-untyped-def]
        def guarded(*arguments, **named):  # type: ignore[no-untyped-def]
            self.left -= 1
            if self.left < 0:
                raise OSError(28, "No space left on device")
            return function(*arguments, **named)

        return guarded


def test_old_files_go_and_the_folder_is_private(tmp_path: Path) -> None:
    """After a merge only the new base and the pointer remain, for their owner alone."""
    folder = tmp_path / "list"
    index = _filled(folder)
    index = ListIndex(folder, least_merge=1)
    index.apply(changes_of([], [row(1000)]), 3)
    assert sorted(p.name for p in folder.iterdir()) == ["base-3.bin", CURRENT]
    assert folder.stat().st_mode & 0o077 == 0
    assert all(p.stat().st_mode & 0o077 == 0 for p in folder.iterdir())


def test_a_version_never_goes_back(tmp_path: Path) -> None:
    """A delta to a version that is there already is our own fault and changes nothing."""
    index = _filled(tmp_path / "list")
    with pytest.raises(InternalError):
        index.apply(changes_of([tag(1)], []), 2)
    assert found(index, [1]) == [[row(1)]]


def test_a_whole_list_may_replace_one_of_the_same_version(tmp_path: Path) -> None:
    """A snapshot taken anew, of the same version, is taken over without a moment without a list."""
    index = _filled(tmp_path / "list")
    index.replace([row(1)], 2)
    assert ListIndex(tmp_path / "list").rows() == [row(1)]
    index.replace([row(2)], 2)
    assert ListIndex(tmp_path / "list").rows() == [row(2)]


def test_a_snapshot_that_breaks_off_changes_nothing(tmp_path: Path) -> None:
    """Rows that raise on the way, as a stream from a registry does, leave the list as it was."""
    index = _filled(tmp_path / "list")
    before = index.rows()

    def breaking() -> Iterator[Row]:
        yield row(1)
        raise PeerError("the stream broke off")

    with pytest.raises(PeerError):
        index.replace(breaking(), 3)
    assert (index.version, index.rows()) == (2, before)
    assert ListIndex(tmp_path / "list").rows() == before
    assert not (tmp_path / "list" / ".incoming").exists()
