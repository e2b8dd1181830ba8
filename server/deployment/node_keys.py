"""Which node key belongs to which member: the entries "node" of `members.json`.

    {"L01": {"public": hex, "node": "-----BEGIN PUBLIC KEY…", "joined": "2031-05-06"}, …}

Invariants:
- One node key stands under one code. A list that cannot be read, or in which one stands twice,
  admits nobody new: the list before stays in force, and the log says so.
"""

from __future__ import annotations

import json
import logging
import threading
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

from server.files import Stamp, stamp_of
from shared.errors import OperatorError
from shared.identity.node_key import check_node_public

MEMBERS = "members.json"
_log = logging.getLogger("lianfang.server")


def read_node_keys(folder: Path) -> Mapping[str, bytes]:
    """Code → public node key, PEM as Flower's fleet registers it; members that have none yet are
    left out. OperatorError when the file is no such list.
    """
    path = folder / MEMBERS
    try:
        listed = json.loads(path.read_text(encoding="utf-8"))
        keys = {
            code: str(entry["node"]).encode() for code, entry in listed.items() if "node" in entry
        }
    except FileNotFoundError:
        return MappingProxyType({})
    except (OSError, ValueError, TypeError, AttributeError) as error:
        raise _wrong(path, "it is no list of members") from error
    for code, key in keys.items():
        try:
            check_node_public(key)
        except OperatorError as error:
            raise _wrong(path, f"the node key of {code[:64]!r} is none") from error
    if len(set(keys.values())) < len(keys):
        raise _wrong(path, "one node key stands there under two codes")
    return MappingProxyType(keys)


class NodeKeys:
    """The list as it is now."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._stamp: Stamp | None = None
        self._keys: Mapping[str, bytes] = MappingProxyType({})
        self._guard = threading.Lock()

    def current(self) -> Mapping[str, bytes]:
        """As `read_node_keys`; what was in force before, when the file is not readable now."""
        with self._guard:
            stamp = stamp_of(self._folder / MEMBERS)
            if stamp != self._stamp:
                self._stamp = stamp
                try:
                    self._keys = read_node_keys(self._folder)
                except OperatorError as error:
                    _log.error("%s; the list before stays in force", error)
            return self._keys


def _wrong(path: Path, why: str) -> OperatorError:
    return OperatorError(f"{path}: {why}", remedy="restore it from a copy; members admit again")
