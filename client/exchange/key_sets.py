"""Which token keys are in use, as the holders show them and this lender believes them.

Invariants:
- A key set is in use if as many holders as its threshold show that very set, generation included,
  and it is pinned (`pins.py`). Holders that show different generations are not added up.
- One holder that shows nothing, or nonsense, stops nobody.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection, Mapping
from concurrent.futures import Executor

from client.exchange.doors import Door
from client.exchange.pins import OTHER_CONSORTIUM, Pins, merged
from shared.errors import OperatorError, PeerError
from shared.tokens.signed_keys import SignedKeys, read_signed


class TooFewHoldersError(PeerError):
    """Fewer holders than the threshold answer rightly; nothing was looked up."""


class RevokedHoldersError(OperatorError):
    """So many holders are revoked here that the others are fewer than the threshold."""


class KeySets:
    """The key sets in use. `failed(code, error)` is told of each holder that shows none; `revoked`:
    holders that have no door.
    """

    def __init__(
        self,
        doors: Mapping[str, Door],
        pins: Pins,
        calls: Executor,
        failed: Callable[[str, PeerError], None],
        revoked: frozenset[str] = frozenset(),
    ) -> None:
        self._doors = doors
        self._pins = pins
        self._calls = calls
        self._failed = failed
        self._revoked = revoked
        self._fetching = threading.Lock()
        self._in_use: dict[int, SignedKeys] = {}

    def of(self, epoch: int | None) -> SignedKeys:
        """The key set of an epoch, the last one in use if None; OperatorError if it is not in use.

        Holders are asked the first time only, or when the epoch is not known.
        """
        in_use = self._in_use
        if not in_use or (epoch is not None and epoch not in in_use):
            in_use = self.fetch()
        wanted = max(in_use) if epoch is None else epoch
        if wanted not in in_use:
            raise OperatorError(
                f"epoch {wanted} is not in use; in use: {', '.join(map(str, sorted(in_use)))}",
                remedy="use the last epoch; older ones are retired after a rotation",
            )
        self._check_enough(in_use[wanted].keys.threshold)
        return in_use[wanted]

    def fetch(self) -> dict[int, SignedKeys]:
        """Ask all holders; what is in use, by epoch, pinned. TooFewHoldersError says why not."""
        thresholds = [one.keys.threshold for one in self._pins.known.values()]
        self._check_enough(min(thresholds, default=1))
        with self._fetching:
            shown, reasons = self._shown()
            self._in_use = self._believed(shown, reasons)
            return dict(self._in_use)

    def left(self, epochs: Collection[int]) -> frozenset[int]:
        """Those of the epochs that as many holders as the threshold, asked anew, show no more. A
        holder that does not answer, or shows nothing, counts for none. Raises nothing for that.
        """
        with self._fetching:
            shown, _ = self._shown()
        by_holder: dict[str, set[int]] = {}
        for code, signed in shown:
            by_holder.setdefault(code, set()).add(signed.keys.epoch)
        known = self._pins.known
        least = max((one.keys.threshold for one in known.values()), default=len(self._doors))
        return frozenset(
            epoch
            for epoch in epochs
            if sum(epoch not in there for there in by_holder.values()) >= least
        )

    def _check_enough(self, threshold: int) -> None:
        if len(self._doors) < threshold:
            gone = ", ".join(sorted(self._revoked))
            raise RevokedHoldersError(
                f"{gone} revoked here: the {len(self._doors)} key holders left are fewer than the "
                f"{threshold} that must answer",
                remedy="what is cached still answers; for the rest the consortium needs a key of "
                "other holders",
            )

    def _shown(self) -> tuple[list[tuple[str, SignedKeys]], dict[str, str]]:
        """What each holder shows, and of those that show nothing of the kind why."""
        asked = {code: self._calls.submit(door.describe) for code, door in self._doors.items()}
        shown: list[tuple[str, SignedKeys]] = []
        reasons: dict[str, str] = {}
        for code, future in asked.items():
            try:
                shown += [(code, read_signed(text)) for text in future.result()]
            except PeerError as error:
                reasons[code] = error.what
                self._failed(code, error)
        return shown, reasons

    def _believed(
        self, shown: list[tuple[str, SignedKeys]], reasons: dict[str, str]
    ) -> dict[int, SignedKeys]:
        """By epoch the newest generation that enough holders show. What too few show is only
        checked, against what is pinned then: another key is evidence.
        """
        counted = sorted(merged(shown), key=_order)
        names: set[bytes] = set()
        for signed, codes in counted:
            try:
                if len(codes) >= signed.keys.threshold:
                    self._pins.take(signed)
                    names.add(signed.keys.name)
                else:
                    self._pins.check(signed)
            except PeerError as error:
                for code in sorted(codes):
                    reasons[code] = error.what
                    self._failed(code, error)
        known = self._pins.known
        enough = {epoch: one for epoch, one in known.items() if one.keys.name in names}
        if not enough:
            why = "; ".join(f"{code}: {reason}" for code, reason in sorted(reasons.items()))
            raise TooFewHoldersError(
                f"too few key holders show a key set to be believed; {why or 'none is in use'}",
                remedy=_remedy([*reasons.values()]),
            )
        return enough


def _remedy(reasons: list[str]) -> str:
    """A consortium's name that is not the holders' mends itself never."""
    if OTHER_CONSORTIUM in reasons:
        return (
            "compare context in exchange.toml with another lender's: it is the consortium's name, "
            "letter for letter"
        )
    return "try again later, or ask the holders' operators"


def _order(one: tuple[SignedKeys, frozenset[str]]) -> tuple[bool, int, int]:
    """What enough holders show first, then by epoch; of an epoch the newest generation first."""
    keys = one[0].keys
    return len(one[1]) < keys.threshold, keys.epoch, -keys.generation
