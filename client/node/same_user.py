"""Whose process is at the other end of a connection over 127.0.0.1.

Invariants:
- Where the system tells (Linux), only this user's own processes are served: anybody else on the
  machine could otherwise speak to the coordinator under the lender's certificate.

Source: proc(5), /proc/net/tcp.
"""

from __future__ import annotations

import os
import socket
import struct
from pathlib import Path

_TABLE = Path("/proc/net/tcp")
_LOCAL, _REMOTE, _UID = 1, 2, 7


def is_own(peer: tuple[str, int], here: tuple[str, int]) -> bool:
    """Whether the socket at `peer` that is connected to `here` (both IPv4) is this user's."""
    try:
        lines = _TABLE.read_text().splitlines()[1:]
    except OSError:  # not Linux: nothing tells
        return True
    wanted = (_coded(peer), _coded(here))
    for line in lines:
        cells = line.split()
        if (cells[_LOCAL], cells[_REMOTE]) == wanted:
            return int(cells[_UID]) == os.getuid()
    return False


def _coded(address: tuple[str, int]) -> str:
    number = struct.unpack("=I", socket.inet_aton(address[0]))[0]
    return f"{number:08X}:{address[1]:04X}"
