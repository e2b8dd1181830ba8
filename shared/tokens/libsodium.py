"""libsodium, as bundled by the package `rbcl`, loaded through ctypes.

The one module of `shared` that touches the file system: `rbcl` unpacks the library into a temporary
file and leaves it there. It gets a private folder, which is removed as soon as the library is
loaded. Only the functions below are used, by address: no buffer is copied on the way in or out.
"""

from __future__ import annotations

import tempfile
from ctypes import CDLL, c_int, c_void_p
from functools import cache

from shared.errors import OperatorError

_FUNCTIONS = {
    "crypto_core_ristretto255_from_hash": 2,
    "crypto_core_ristretto255_add": 3,
    "crypto_core_ristretto255_sub": 3,
    "crypto_core_ristretto255_is_valid_point": 1,
    "crypto_scalarmult_ristretto255": 3,
    "crypto_scalarmult_ristretto255_base": 2,
}
"""Name and number of pointers; the first is where the result goes (RFC 9496 in C)."""


@cache
def libsodium() -> CDLL:
    """The library, initialised. OperatorError where it cannot be loaded."""
    try:
        library = _loaded()
    except (ImportError, OSError) as error:
        raise OperatorError(
            f"libsodium could not be loaded ({type(error).__name__})",
            remedy="pip install rbcl, and set TMPDIR to a folder that allows running programs",
        ) from error
    for name, pointers in _FUNCTIONS.items():
        function = getattr(library, name)
        function.argtypes, function.restype = [c_void_p] * pointers, c_int
    return library


def _loaded() -> CDLL:
    before = tempfile.tempdir
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        tempfile.tempdir = folder
        try:
            import rbcl  # importing it unpacks, loads and initialises the library
        finally:
            tempfile.tempdir = before
    library: CDLL = rbcl._sodium
    return library
