"""Whose process is at the other end of a connection over 127.0.0.1.

Invariants:
- Only this user's own processes are served: anybody else on the machine could otherwise speak to
  the coordinator under the lender's certificate. Where the system does not tell (no /proc), nobody
  is, and the log says so.

Source: proc(5), /proc/net/tcp.
"""

from __future__ import annotations

import logging
import os
import socket
import struct
from functools import cache
from pathlib import Path

_TABLE = Path("/proc/net/tcp")
_LOCAL, _REMOTE, _UID = 1, 2, 7
_log = logging.getLogger("lianfang.sidecar")


def is_own(peer: tuple[str, int], here: tuple[str, int]) -> bool:
    """Whether the socket at `peer` that is connected to `here` (both IPv4) is this user's."""
    try:
        lines = _TABLE.read_text().splitlines()[1:]
    except OSError:
        _tell_once(str(_TABLE))
        return False
    wanted = (_coded(peer), _coded(here))
    for line in lines:
        cells = line.split()
        if (cells[_LOCAL], cells[_REMOTE]) == wanted:
            return int(cells[_UID]) == os.getuid()
    return False


@cache
def _tell_once(table: str) -> None:
    _log.error("%s cannot be read: whose a connection is cannot be told, and none is taken", table)


def _coded(address: tuple[str, int]) -> str:
    number = struct.unpack("=I", socket.inet_aton(address[0]))[0]
    return f"{number:08X}:{address[1]:04X}"
