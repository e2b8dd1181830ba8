"""Takes over whom the coordinator believes no more, into this lender's `revoked.json`.

    own/revocations.json    the signed list that was taken last: evidence of who revoked whom

Invariants:
- Codes are only added. What was written by hand stays, and what a list leaves out stays, too.
- The registry and the key holders that this lender's own exchange.toml names are not added: whoever
  runs the coordinator could end the shared list with a word. They are told, and a person decides.
- Nothing is taken that is not signed under this lender's own authority.
"""

from __future__ import annotations

import json
import tomllib
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from client.credentials import read_authority
from client.exchange.settings import FILE as EXCHANGE
from client.files import write_whole
from client.revoked import REVOKED, read_revoked
from shared.errors import OperatorError
from shared.identity.revocations import read_revocations

KEPT = "own/revocations.json"


@dataclass(frozen=True)
class Taken:
    """Codes that were `added` now, and those that are `held` back for a person to decide."""

    added: tuple[str, ...] = ()
    held: tuple[str, ...] = ()


def take_revocations(folder: Path, content: bytes, now: datetime) -> Taken:
    """Take a coordinator's list over. PeerError when it is none; OperatorError when this folder's
    own files cannot be read or written. Nothing is changed then.
    """
    listed = read_revocations(content, read_authority(folder / "authority.crt", now), now)
    known = read_revoked(folder)
    services = _services(folder)
    new = [code for code in listed.codes if code not in known]
    added = tuple(code for code in new if code not in services)
    if added:
        try:
            write_whole(folder / KEPT, content)
            write_whole(folder / REVOKED, json.dumps(sorted({*known, *added})).encode())
        except OSError as error:
            raise OperatorError(
                f"{folder / REVOKED} cannot be written: {error.strerror}", remedy="free space"
            ) from error
    return Taken(added, tuple(code for code in new if code in services))


def _services(folder: Path) -> Collection[str]:
    """Codes of the registry and the key holders; none where the lender is not in the exchange.
    Read as it stands: what is wrong in the file is told by those who use it.
    """
    try:
        document = tomllib.loads((folder / EXCHANGE).read_text(encoding="utf-8"))
        return {str(document["registry"]["code"]), *document["holders"]}
    except FileNotFoundError:
        return ()
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise OperatorError(
            f"{folder / EXCHANGE} cannot be read: nobody is taken for revoked meanwhile",
            remedy="mend the file; lianfang-client list says what is wrong in it",
        ) from error
