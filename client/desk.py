"""Where questions arrive at a lender: one open `Lender` per folder and terms, and no exception text
leaves.

Invariants:
- The folder comes from the lender's own node configuration, never from a message.
- A failure answers with the kind of error only; its text goes to the lender's own log (Python's
  logger `lianfang.client`), and of unexpected errors only name and place do. The log has the same
  error once until a question was answered: a coordinator repeats what it asks.
- The member's code leaves as soon as `client.toml` tells it, even if nothing else there is right.
- A certificate that was renewed, or a member that was pinned, counts from the next question on.
- Where several terms were accepted a question's own digest chooses: an agreement's, or that of the
  set-up in the vault.
"""

from __future__ import annotations

import logging
import os
import threading
import traceback
from pathlib import Path
from typing import TYPE_CHECKING, Any

from flwr.app import Context, RecordDict

from shared.errors import InternalError, LianfangError, OperatorError, PeerError
from shared.secure_sum.statements import SetUpOpen
from shared.wire.messages import UNKNOWN, Ask, Refused, pack_reply, parse_question

if TYPE_CHECKING:
    from client.answering import Answering
    from client.settings import ClientSettings

FOLDER_KEY = "lender-directory"
FOLDERS_VARIABLE = "LIANFANG_LENDERS"
"""Names the folder of lender folders where a node knows its partition number only (simulation)."""

_open: dict[tuple[Path, str], Answering[Any]] = {}
"""By folder and the digest of the terms; the digest is empty where a folder holds one agreement."""
_MOST_OPEN = 2
_set_up: dict[Path, str] = {}
"""The terms of the set-up that was opened last."""
_stamps: dict[Path, tuple[object, ...]] = {}
_IDENTITY = ("certificate.crt", "members.json", "client.toml")
"""Who the lender is and whom it believes: when one of these changes, its folder is read anew."""
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
        _follow(folder)
        lender = _open.get((folder, ""))
        if lender is None:
            from client.settings import member_named  # torch, pandas load only now

            member = member_named(folder) or UNKNOWN
            called = str(folder) if member == UNKNOWN else member
            lender = _lender(folder, content)
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
        _set_up.clear()
        _stamps.clear()
    _told.clear()


def _follow(folder: Path) -> None:
    """Close a folder's lenders when a certificate was renewed there, or a member pinned."""
    stamp = tuple(_stamp_of(folder / name) for name in _IDENTITY)
    if _stamps.setdefault(folder, stamp) == stamp:
        return
    with _guard:
        _stamps[folder] = stamp
        for key in [key for key in _open if key[0] == folder]:
            _open.pop(key).close()


def _stamp_of(path: Path) -> object:
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_mtime_ns, found.st_size, found.st_ino


def _lender(folder: Path, content: RecordDict) -> Answering[Any]:
    """The lender for a question, opened if it is not yet."""
    from client.settings import read_settings, takes_terms

    terms = _terms_asked(folder, content) if takes_terms(folder) else ""
    lender = _open.get((folder, terms))
    if lender is not None:
        return lender
    asked = _asked(folder, terms) if terms else None
    return asked or _opened(read_settings(folder, terms=terms), terms)


def _asked(folder: Path, terms: str) -> Answering[Any] | None:
    """The lender that answers a batch about borrowing, where the terms are of one."""
    from client.settings import joined_under
    from client.terms import accepted_terms
    from shared.training.asked_run import AskedTerms

    found = accepted_terms(folder, joined_under(folder), terms)
    if not isinstance(found, AskedTerms):
        return None
    from client.borrowing.asked_lender import AskedLender
    from client.borrowing.asked_settings import read_asked

    return _kept(AskedLender(read_asked(folder, found)), (folder, terms))


def _terms_asked(folder: Path, content: RecordDict) -> str:
    """The digest of the terms that a question is about; PeerError when nothing tells."""
    question = parse_question(content)
    if isinstance(question, Ask):
        return question.run
    if isinstance(question, SetUpOpen):
        _set_up[folder] = question.agreement.hex()
    elif folder not in _set_up:
        from client.sealed import terms_in_vault

        _set_up[folder] = terms_in_vault(folder)
    return _set_up[folder]


def _opened(settings: ClientSettings, terms: str = "") -> Answering[Any]:
    from client.lender import Lender

    return _kept(Lender(settings), (settings.folder, terms))


def _kept(lender: Answering[Any], key: tuple[Path, str]) -> Answering[Any]:
    """Open from now on; beside it at most one more of its folder."""
    with _guard:
        first = _open.setdefault(key, lender)
        others = [other for other in _open if other[0] == key[0] and other != key]
        for other in others[: max(0, len(others) + 1 - _MOST_OPEN)]:
            _open.pop(other).close()  # it is opened again when it is asked again
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
