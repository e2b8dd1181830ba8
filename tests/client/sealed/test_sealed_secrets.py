"""What a lender in secure sums keeps is its own: no secret outlives its slot or gets into a log."""

from __future__ import annotations

import logging
import os

import pytest

from client.vault import Vault
from tests.client.sealed_consortium import BOOK, TERMS, SealedConsortium


def test_nothing_a_lender_keeps_can_be_read_by_others(consortium: SealedConsortium) -> None:
    """Whatever the umask: folders are 0700, files 0600, also where a folder was open before."""
    own = consortium.folders["L01"] / "own"
    own.chmod(0o755)
    consortium.restart("L01")
    before = os.umask(0)
    try:
        consortium.make_set_up()
        consortium.to_the_end()
    finally:
        os.umask(before)
    kept = [own, *own.rglob("*")]
    assert len(kept) > 6
    modes = {str(p.relative_to(own)): p.stat().st_mode & 0o777 for p in kept}
    assert modes == {str(p.relative_to(own)): 0o700 if p.is_dir() else 0o600 for p in kept}


def test_no_secret_of_an_answered_slot_is_left_on_disk(consortium: SealedConsortium) -> None:
    """Mask key, seed and shares of others, found in the lender's files before the answer, are in
    none after it but the shares it released; the next slot's are still there.
    """
    consortium.make_set_up()
    folder = consortium.folders["L01"]
    vault = Vault(folder / "own" / "vault")

    def on_disk() -> bytes:
        return b"".join(path.read_bytes() for path in folder.rglob("*") if path.is_file())

    record, later = vault.slot(0), vault.slot(1)
    assert record is not None
    assert later is not None
    pieces = [record[:32], record[32:64], *(record[i : i + 33] for i in range(64, len(record), 33))]
    assert all(piece in on_disk() for piece in pieces)
    consortium.stage()
    assert not any(piece in on_disk() for piece in pieces)
    assert later in on_disk()


def test_no_row_and_no_secret_is_in_journal_or_log(
    consortium: SealedConsortium, caplog: pytest.LogCaptureFixture
) -> None:
    """Over a whole run, with a refusal and a repeated question in it."""
    with caplog.at_level(logging.DEBUG):
        consortium.make_set_up()
        kept = [
            vault.slot(number)
            for vault in (Vault(home / "own" / "vault") for home in consortium.folders.values())
            for number in range(consortium.slots)
        ]
        consortium.asked("L01", consortium.ask(consortium.opened(stage="bins")))
        consortium.to_the_end()
    texts = caplog.text.encode()
    for home in consortium.folders.values():
        texts += (home / "own" / "outbox.jsonl").read_bytes()
    assert TERMS.digest().encode() in texts  # positive control
    for key in BOOK.row_key:
        assert str(key).encode() not in texts
    for secret in kept:
        assert secret is not None
        for piece in (secret[:32], secret[32:64]):
            assert piece not in texts
            assert piece.hex().encode() not in texts
