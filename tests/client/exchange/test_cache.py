"""Tokens kept by a lender: right, encrypted, whole after a crash, gone with their epoch."""

import os
from pathlib import Path

import numpy as np
import pytest

from client.exchange.array_file import DamagedFileError
from client.exchange.cache import CURRENT, TokenCache, wipe
from client.exchange.sealed_arrays import SealedArrays, write_sealed
from shared.errors import OperatorError
from shared.tokens.tags import tags_of
from tests.client.exchange.stand_in import StandIn, random_from

PRF = StandIn()


def inputs(*numbers: int) -> list[bytes]:
    return [f"test|v1|phone|138{number:08d}".encode() for number in numbers]


def fill(cache: TokenCache, *numbers: int) -> np.ndarray:
    outputs = PRF(inputs(*numbers))
    return cache.add(inputs(*numbers), outputs, tags_of(outputs, 1))


def test_what_is_kept_is_found_again_under_the_same_number(tmp_path: Path) -> None:
    """Over many additions, merges of files and reopenings, every number keeps its token."""
    cache, kept = TokenCache(tmp_path, 1), {}
    for start in range(0, 220, 11):
        block = range(start, start + 13)  # two overlap with the next block
        kept.update(zip(block, fill(cache, *block).tolist(), strict=True))
    for opened in (cache, TokenCache(tmp_path, 1)):
        assert len(opened) == len(kept)
        assert opened.numbers(inputs(*kept)).tolist() == list(kept.values())
        assert opened.numbers(inputs(5000, 3)).tolist() == [-1, kept[3]]
        some = [7, 219, 7, 0]
        numbers = np.array([kept[n] for n in some])
        assert (opened.outputs(numbers) == np.stack([PRF(inputs(n))[0] for n in some])).all()
        assert (opened.tags(numbers) == tags_of(opened.outputs(numbers), 1)).all()
    assert len(list((tmp_path / "epoch-1").glob("tokens-*"))) <= 8


def test_another_process_sees_what_was_added(tmp_path: Path) -> None:
    """Two processes that add to one cache neither lose nor renumber a token."""
    one, other = TokenCache(tmp_path, 1), TokenCache(tmp_path, 1)
    first = fill(one, 1, 2)
    second = fill(other, 2, 3)
    assert second[0] == first[1]
    assert sorted({*first.tolist(), *second.tolist(), *fill(one, 1, 2, 3).tolist()}) == [0, 1, 2]


def test_nothing_readable_is_on_the_disk(tmp_path: Path) -> None:
    """No input, output or tag stands in any file; all files are their owner's alone."""
    cache = TokenCache(tmp_path, 1)
    fill(cache, *range(50))
    outputs = PRF(inputs(*range(50)))
    content = b"".join(path.read_bytes() for path in (tmp_path / "epoch-1").iterdir())
    secret = [*inputs(*range(50)), *map(bytes, outputs), *map(bytes, tags_of(outputs, 1))]
    assert not any(one[:16] in content or one[-16:] in content for one in secret)
    modes = [path.stat().st_mode & 0o077 for path in tmp_path.rglob("*")]
    assert set(modes) == {0}


def test_a_flipped_byte_or_another_key_is_an_error(tmp_path: Path) -> None:
    """Wherever a byte of the token file is flipped, an error is raised and nothing is answered."""
    fill(TokenCache(tmp_path, 1), *range(40))
    path = next((tmp_path / "epoch-1").glob("tokens-*"))
    whole = path.read_bytes()
    for at in np.linspace(0, len(whole) - 1, 40).astype(int):
        damaged = bytearray(whole)
        damaged[at] ^= 1
        path.write_bytes(damaged)
        with pytest.raises(DamagedFileError) as caught:
            _everything(tmp_path)
        assert "asked for anew" in caught.value.remedy
    path.write_bytes(whole)
    _everything(tmp_path)
    key = tmp_path / "epoch-1" / "key"
    key.write_bytes(bytes(31) + b"\1")
    with pytest.raises(DamagedFileError):
        _everything(tmp_path)


def _everything(folder: Path) -> None:
    cache = TokenCache(folder, 1)
    found = cache.numbers(inputs(*range(40)))
    assert found.tolist() == list(range(40))
    cache.tags(found)
    cache.outputs(found)


def test_blocks_cannot_be_swapped(tmp_path: Path) -> None:
    """Two blocks of one file do not open in each other's place, nor one of another purpose."""
    path, key = tmp_path / "x.bin", bytes(range(32))
    array = np.arange(2 * (1 << 18), dtype=np.uint8).reshape(-1, 64)
    write_sealed(path, key, "a", {"output": array}, random_from("salt"))
    assert (SealedArrays(path, key, "a").read("output") == array).all()
    whole = path.read_bytes()
    size = (1 << 18) + 16
    path.write_bytes(whole[: -2 * size] + whole[-size:] + whole[-2 * size : -size])
    with pytest.raises(DamagedFileError):
        SealedArrays(path, key, "a").read("output")
    path.write_bytes(whole)
    with pytest.raises(DamagedFileError):
        SealedArrays(path, key, "b").read("output")


def test_a_crash_at_any_write_keeps_what_was_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whichever write of adding tokens fails, those from before keep their numbers."""
    for files_before in (2, 7):  # one more file; all files merged into one
        for step in range(100):
            folder = tmp_path / f"{files_before}-{step}"
            cache = TokenCache(folder, 1)
            for number in range(files_before):
                fill(cache, number)
            calls = [0]

            def failing(function, calls=calls, step=step):  # type: ignore[no-untyped-def]
                def call(*arguments):  # type: ignore[no-untyped-def]
                    calls[0] += 1
                    if calls[0] > step:
                        raise OSError(28, "No space left on device")
                    return function(*arguments)

                return call

            with monkeypatch.context() as patched:
                for name in ("write", "fsync", "replace"):
                    patched.setattr(os, name, failing(getattr(os, name)))
                try:
                    fill(cache, 100)
                    failed = False
                except OperatorError:
                    failed = True
            before = inputs(*range(files_before))
            for opened in (cache, TokenCache(folder, 1)):
                assert opened.numbers(before).tolist() == list(range(files_before))
            assert fill(cache, 100).tolist() == [files_before]
            if not failed:
                break
        assert step > 4


def test_only_the_newest_books_are_kept(tmp_path: Path) -> None:
    """A book that changes every day does not fill the disk."""
    cache = TokenCache(tmp_path, 1)
    for day in range(20):
        cache.keep_book(b"book %d" % day, {"row": np.arange(day)})
    assert cache.book(b"book 0") is None
    kept = cache.book(b"book 19")
    assert kept is not None
    assert kept.read("row").tolist() == list(range(19))
    assert len(list((tmp_path / "epoch-1").glob("book-*"))) == 16


def test_a_retired_epoch_is_wiped_and_the_other_stays(tmp_path: Path) -> None:
    """After wiping, neither the key nor any token of the epoch is there."""
    fill(TokenCache(tmp_path, 1), 1, 2)
    fill(TokenCache(tmp_path, 2), 1)
    wipe(tmp_path, 1)
    wipe(tmp_path, 1)
    assert not (tmp_path / "epoch-1").exists()
    assert len(TokenCache(tmp_path, 2)) == 1
    assert len(TokenCache(tmp_path, 1)) == 0


def test_a_key_that_others_can_read_is_refused(tmp_path: Path) -> None:
    """The key is worth what its mode is worth; the remedy is named."""
    fill(TokenCache(tmp_path, 1), 1)
    (tmp_path / "epoch-1" / "key").chmod(0o640)
    with pytest.raises(OperatorError, match="chmod 600"):
        TokenCache(tmp_path, 1)


def test_a_lost_key_or_list_of_files_is_an_error(tmp_path: Path) -> None:
    """Tokens without their key are not silently taken for an empty cache."""
    fill(TokenCache(tmp_path, 1), 1)
    (tmp_path / "epoch-1" / "key").unlink()
    with pytest.raises(DamagedFileError, match="key is missing"):
        TokenCache(tmp_path, 1)
    fill(TokenCache(tmp_path, 2), 1)
    (tmp_path / "epoch-2" / CURRENT).write_bytes(b'["../../x"]')
    with pytest.raises(DamagedFileError):
        TokenCache(tmp_path, 2)
