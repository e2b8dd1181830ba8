"""The rules on key epochs: opening one, and retiring one that nothing rests on.

Invariants:
- Epochs are numbered upwards, belong to one consortium's key (`context`), and none has the key of
  another: under an old key new rows would be linked to old ones. A number may be left out (that
  of a ceremony that came to nothing), but none is far ahead: it would leave none for later.
- The oldest open epoch retires first, when every entry that was approved and is live has tokens in
  a later one. So nothing is filed under an epoch before a retired one.
- Whether holders signed a key is checked when it is proposed (by the registry, with a clock), not
  here: their certificates end, and a log must replay for good.
"""

from __future__ import annotations

from dataclasses import replace

from shared.blacklist.epoch_keys import epoch_digest
from shared.blacklist.events import OpenEpoch, RetireEpoch
from shared.blacklist.state import Epoch, Proposal
from shared.blacklist.turn import RefusedError, Turn


def propose_epoch(turn: Turn, event: OpenEpoch | RetireEpoch) -> None:
    """It waits for another institution's consent. RefusedError `epoch`, `keys`, `uncovered`,
    `quota`.
    """
    if isinstance(event, RetireEpoch):
        _check_retirable(turn, event.epoch)
        turn.propose(event, epoch=event.epoch)
        return
    keys = event.keys.keys
    _check_new(turn, event.epoch, keys.context, keys.public)
    turn.propose(
        event,
        epoch=event.epoch,
        keys=epoch_digest(keys),
        public=keys.public,
        context=keys.context,
        holders=tuple(sorted(event.keys.holders)),
    )


def open_epoch(turn: Turn, proposal: Proposal) -> None:
    """What was proposed and consented to. RefusedError `epoch`, `keys`."""
    _check_new(turn, proposal.epoch, proposal.context, proposal.public)
    turn.changes.epochs[proposal.epoch] = Epoch(
        proposal.epoch,
        proposal.keys,
        proposal.public,
        proposal.context,
        proposal.holders,
        turn.day,
    )


def retire_epoch(turn: Turn, proposal: Proposal) -> None:
    """What was proposed and consented to. RefusedError `epoch`, `uncovered`."""
    epoch = _check_retirable(turn, proposal.epoch)
    turn.changes.epochs[proposal.epoch] = replace(epoch, retired=turn.day)


def check_open(turn: Turn, number: int) -> None:
    """RefusedError `epoch` unless tokens of this epoch are taken: it was opened, and neither it nor
    a later one has retired.
    """
    known = turn.view.epochs()
    gone = max((one.epoch for one in known if one.retired is not None), default=0)
    if number <= gone or number not in [one.epoch for one in known]:
        raise RefusedError(
            "epoch", f"key epoch {number} is not open", remedy="sync, and make tokens anew"
        )


def _check_new(turn: Turn, number: int, context: str, public: bytes) -> None:
    known = turn.view.epochs()
    if known and not 0 < number - known[-1].epoch <= turn.terms.epochs_ahead:
        raise RefusedError(
            "epoch",
            f"a new key epoch has a number 1 to {turn.terms.epochs_ahead} after the last one's, "
            f"{known[-1].epoch}",
        )
    if known and context != known[-1].context:
        raise RefusedError("keys", "the key is of another consortium than the last epoch's")
    if any(one.public == public for one in known):
        raise RefusedError(
            "keys", "an earlier epoch has this very key", remedy="let the holders make a new key"
        )


def _check_retirable(turn: Turn, number: int) -> Epoch:
    open_ones = [one for one in turn.view.epochs() if one.retired is None]
    if len(open_ones) < 2 or number != open_ones[0].epoch:
        raise RefusedError(
            "epoch", "only the oldest open epoch retires, with a later one open beside it"
        )
    missing = turn.view.uncovered(number)
    if missing:
        raise RefusedError(
            "uncovered",
            f"{missing} entries have no tokens in a later epoch yet",
            remedy="their contributors re-file or withdraw them first",
        )
    return open_ones[0]
