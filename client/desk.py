"""Where questions arrive at a lender: one open `Lender` per folder, and no exception text leaves.

Invariants:
- The folder comes from the lender's own node configuration, never from a message.
- A failure answers with the kind of error only; its text goes to the lender's own log (Python's
  logger `lianfang.client`), and of unexpected errors only name and place do. The log has the same
  error once until a question was answered: a coordinator repeats what it asks.
- The member's code leaves as soon as `client.toml` tells it, even if nothing else there is right.
"""

from __future__ import annotations

import logging
import os
import threading
import traceback
from pathlib import Path
from typing import TYPE_CHECKING

from flwr.app import Context, RecordDict

from shared.errors import InternalError, LianfangError, OperatorError, PeerError
from shared.wire.messages import UNKNOWN, Refused, pack_reply, parse_question

if TYPE_CHECKING:
    from client.lender import Lender
    from client.settings import ClientSettings

FOLDER_KEY = "lender-directory"
FOLDERS_VARIABLE = "LIANFANG_LENDERS"
"""Names the folder of lender folders where a node knows its partition number only (simulation)."""

_open: dict[Path, Lender] = {}
_told: dict[str, set[str]] = {}
_MOST_TOLD = 1000
_guard = threading.Lock()
_log = logging.getLogger("lianfang.client")


def answer(content: RecordDict, context: Context) -> RecordDict:
    """The reply to a message, whatever happens."""
    member = called = UNKNOWN
    try:
        folder = lender_folder(context)
        called = str(folder)
        lender = _open.get(folder)
        if lender is None:
            from client.settings import member_named, read_settings  # torch, pandas load only now

            member = member_named(folder) or UNKNOWN
            called = str(folder) if member == UNKNOWN else member
            lender = _opened(read_settings(folder))
        member = called = lender.member
        reply = pack_reply(lender.reply(parse_question(content)))
        _told.pop(called, None)
        return reply
    except LianfangError as error:
        _tell(called, f"question refused: {error}")
        return pack_reply(Refused(member, _code(error)))
    except Exception as error:  # noqa: BLE001 - its text may quote rows: only its name is logged
        place = traceback.extract_tb(error.__traceback__)[-1]
        where = f"{Path(place.filename).name}:{place.lineno}"
        _tell(called, f"{type(error).__name__} at {where}")
        return pack_reply(Refused(member, "unexpected"))


def lender_folder(context: Context) -> Path:
    """The folder of the lender this node serves; OperatorError when the node is not told."""
    named = context.node_config.get(FOLDER_KEY)
    if isinstance(named, str) and named:
        return Path(named)
    parent, number = os.environ.get(FOLDERS_VARIABLE), context.node_config.get("partition-id")
    if not parent or number is None:
        raise OperatorError(
            "this node does not know its lender's folder",
            remedy=f"start it with --node-config \"{FOLDER_KEY}='/path/to/folder'\"",
        )
    return sorted(path for path in Path(parent).iterdir() if path.is_dir())[int(number)]


def close_all() -> None:
    """Forget every open lender (their tables leave memory)."""
    with _guard:
        for lender in _open.values():
            lender.close()
        _open.clear()
    _told.clear()


def _opened(settings: ClientSettings) -> Lender:
    from client.lender import Lender

    lender = Lender(settings)
    with _guard:
        first = _open.setdefault(settings.folder, lender)
    if first is not lender:  # another thread was quicker
        lender.close()
    return first


def _tell(called: str, what: str) -> None:
    """Log an error of a lender, by code or folder, where it is new."""
    known = _told.setdefault(called, set())
    if len(known) > _MOST_TOLD:
        known.clear()
    _log.log(logging.DEBUG if what in known else logging.ERROR, "%s: %s", called, what)
    known.add(what)


def _code(error: LianfangError) -> str:
    kinds = {OperatorError: "operator", PeerError: "peer", InternalError: "internal"}
    found = [code for kind, code in kinds.items() if isinstance(error, kind)]
    return found[0] if found else "unexpected"
