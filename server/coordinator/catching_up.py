"""What each node has been told so far, and the Ask that tells it the rest.

Invariants:
- A lender that was away, or whose memory is gone, says how far it is and is sent what it misses.
- Each lender is shown the signatures of those who answered the last round it was in itself. One
  that answered another round last says so and is shown that one's: none are ever forgotten.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from shared.errors import PeerError
from shared.identity.certificate import Identity
from shared.secure_sum.statements import RoundOpen
from shared.secure_sum.suite import STANDARD
from shared.training.fold import Fold
from shared.wire.messages import Ask, Behind, ask_transcript

Agreed = tuple[tuple[str, bytes], ...]
"""Codes of lenders, and their signatures over a round and its survivors."""


class CatchingUp:
    """Lives as long as the coordinator's process. `code` tells a node's lender, if it is known."""

    def __init__(self, code: Callable[[int], str | None]) -> None:
        self.holds: dict[int, int] = {}
        self._code = code
        self._agreed: dict[bytes, Agreed] = {}
        self._latest: dict[str, bytes] = {}
        self._last = b""

    def released(self, name: bytes, members: Iterable[str], agreed: Agreed) -> None:
        """A round was opened: its name, its survivors, and the signatures of those who answered."""
        self._agreed[name] = agreed
        self._latest |= dict.fromkeys(members, name)
        self._last = name

    def agreed(self, node: int, name: bytes = b"") -> Agreed:
        """What to show a node: of the round `name`, or of the last one it was in.

        Raises PeerError for a round that was never opened.
        """
        name = name or self._latest.get(self._code(node) or "", self._last)
        if name and name not in self._agreed:
            raise PeerError("asks who answered a round that was never opened")
        return self._agreed.get(name, ())


class StageAsks:
    """The Asks of one stage, made once for all nodes that are to be told the same. `signed`: what
    the coordinator signs of each, one text or none.
    """

    def __init__(
        self,
        catching_up: CatchingUp,
        run: Fold,
        released: Sequence[NDArray[np.int64]],
        opened: RoundOpen | None = None,
        signer: Identity | None = None,
    ) -> None:
        self._catching_up = catching_up
        self._released = released
        self._about = (run.agreement.digest(), run.question().stage, run.digest)
        self._opened = opened
        bare = Ask(*self._about[:2], 0, self._about[2], (), opened)
        self._signature = _signature(signer, bare)
        self.signed = () if signer is None else (ask_transcript(bare),)
        self._behind: set[int] = set()
        self._unproven: dict[int, bytes] = {}
        self._made: dict[tuple[int, Agreed], Ask] = {}

    def ask(self, node: int) -> Ask:
        """The question for a node, with the totals and signatures it lacks."""
        first = min(self._catching_up.holds.get(node, 0), len(self._released))
        agreed = self._catching_up.agreed(node, self._unproven.get(node, b""))
        if (first, agreed) not in self._made:
            terms, stage, digest = self._about
            rest = tuple(self._released[first:])
            ask = Ask(terms, stage, first, digest, rest, self._opened, agreed, *self._signature)
            self._made[first, agreed] = ask
        return self._made[first, agreed]

    def told(self, node: int) -> None:
        """The node has answered, so it holds all totals."""
        self._catching_up.holds[node] = len(self._released)

    def fell_behind(self, node: int, behind: Behind) -> None:
        """The node holds other totals than it was thought to, or was not shown enough signatures.

        PeerError when it asks for those of a round that was never opened.
        """
        if behind.unproven:
            self._catching_up.agreed(node, behind.unproven)
            self._unproven[node] = behind.unproven
        # The next try goes to a fresh start: a node may be served by several processes (Ray),
        # each with its own copy of the run, and the resent part reach one that holds less.
        self._catching_up.holds[node] = 0 if node in self._behind else behind.have
        self._behind.add(node)

    def forget(self, node: int) -> None:
        """What the node holds is not known any more."""
        self._catching_up.holds.pop(node, None)


def _signature(signer: Identity | None, ask: Ask) -> tuple[bytes, bytes]:
    """The coordinator's certificate and its signature; nothing where sums are plain."""
    if signer is None:
        return b"", b""
    return signer.member.certificate, STANDARD.sign(signer.private, ask_transcript(ask))
