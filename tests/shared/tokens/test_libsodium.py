"""The library is loaded without leaving anything behind."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from shared.errors import OperatorError
from shared.tokens import libsodium as module

ROOT = Path(__file__).resolve().parents[3]


def test_nothing_stays_behind(tmp_path: Path) -> None:
    """After loading and use, the temporary folder is as empty as before."""
    code = (
        "from shared.tokens.sodium import Sodium; import tempfile, numpy\n"
        "print(Sodium().multiply_base(numpy.eye(1, 32, dtype=numpy.uint8)).tobytes().hex())\n"
        "assert tempfile.tempdir is None"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=ROOT,
        env={"TMPDIR": str(tmp_path), "PATH": ""},
        capture_output=True,
        text=True,
        check=True,
    )
    # the generator, RFC 9496 appendix A.1
    assert done.stdout.startswith(
        "e2f2ae0a6abc4e71a884a961c500515f58e30b6aa582dd8db6a65945e08d2d76"
    )
    assert list(tmp_path.iterdir()) == []


def test_a_missing_library_is_the_operators_to_mend(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the library cannot be loaded the message says what to do, and hides the path."""

    def broken() -> None:
        raise OSError("/private/place: failed to map segment")

    monkeypatch.setattr(module, "_loaded", broken)
    with pytest.raises(OperatorError, match="TMPDIR") as caught:
        module.libsodium.__wrapped__()
    assert "private" not in str(caught.value)
