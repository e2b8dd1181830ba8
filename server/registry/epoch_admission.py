"""Which key sets the registry takes when members propose a key epoch.

Invariants:
- Members alone open no epoch: every key holder signed the key set, under certificates valid now and
  not revoked, and the public shares are of one key. So there are holders who can answer under it.
- The holders are those the registry's operator names; where none are named, those of the last
  epoch: who holds the key changes by the operator's word only.
- It judges new proposals, never a log that is read again: certificates end, and the log stays.
"""

from __future__ import annotations

from collections.abc import Callable, Container
from dataclasses import dataclass
from datetime import datetime

from shared.blacklist.events import OpenEpoch
from shared.blacklist.lifecycle import RefusedError
from shared.blacklist.state import Epoch
from shared.errors import PeerError
from shared.secure_sum.trust import Trust
from shared.tokens.group import Group
from shared.tokens.keys import check_keys
from shared.tokens.signed_keys import check_signed

_REMEDY = (
    "propose the key set that the holders describe; if the holders changed, the registry's "
    "operator names them in registry.toml, under [keys]"
)


@dataclass(frozen=True)
class EpochAdmission:
    """`authority`: DER; `clock`: the time with a zone; `holders`, `context`: as the operator said,
    None where nothing was; `revoked`: codes that are believed no more.
    """

    authority: bytes
    clock: Callable[[], datetime]
    group: Group
    holders: frozenset[str] | None = None
    context: str | None = None
    revoked: Container[str] = frozenset()

    def check(self, event: OpenEpoch, known: tuple[Epoch, ...]) -> None:
        """RefusedError `keys` unless the proposed key may answer; `known`: all epochs so far."""
        try:
            check_signed(event.keys, Trust(self.authority, self.clock))
            check_keys(self.group, event.keys.keys)
        except PeerError as error:
            raise _refused(error.what) from error
        if any(code in self.revoked for code in event.keys.holders):
            raise _refused("a holder of this key is revoked")
        last = known[-1] if known else None
        wanted = self.holders or (frozenset(last.holders) if last else None)
        if wanted is not None and wanted != {*event.keys.holders}:
            raise _refused(f"the key holders are {', '.join(sorted(wanted))}, and no others")
        context = self.context or (last.context if last else None)
        if context is not None and context != event.keys.keys.context:
            raise _refused("the key set is another consortium's")


def _refused(what: str) -> RefusedError:
    return RefusedError("keys", what, remedy=_REMEDY)
