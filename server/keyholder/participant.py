"""A key holder's part in ceremonies: the pure side (`shared.tokens.key_generation`) on its file.

Invariants:
- A step that was answered is on disk, so it can be asked again after a crash of anybody and gets
  the same answer. A step that was not answered has left no half key.
- A new ceremony may replace one that is under way; it never replaces a share.
- The secret of a ceremony is wiped when the share is confirmed, or the ceremony ended.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from server.keyholder.shares import Shares
from shared.errors import PeerError
from shared.secure_sum.encoding import read_text, text_of
from shared.tokens.ceremony_checks import WrongMoveError
from shared.tokens.ceremony_statements import Complaint, Dealing, Opening, Promise
from shared.tokens.epochs import check_may_sign
from shared.tokens.key_generation import CeremonyEndedError, HolderSide, Progress
from shared.tokens.keys import KeyShare
from shared.tokens.signed_keys import confirm, read_signed

_log = logging.getLogger("lianfang.keyholder")


@dataclass(frozen=True)
class Said:
    """A holder's answer to a step: its statement's text, and the state of the ceremony with it."""

    statement: bytes
    state: str


@dataclass(frozen=True)
class Participant:
    """Takes part in ceremonies. `random`: secret bytes; `clock`: the time with a zone."""

    side: HolderSide
    shares: Shares
    clock: Callable[[], datetime]
    random: Callable[[int], bytes]

    def step(self, move: str, statements: Sequence[bytes]) -> Said:
        """One step; PeerError when it is not allowed, and nothing is changed then."""
        moves = {
            "open": self._open,
            "deal": self._deal,
            "confirm": self._confirm,
            "activate": self._activate,
            "complain": self._complain,
        }
        if move not in moves:
            raise PeerError(f"a step is one of {', '.join(moves)}")
        try:
            return Said(*moves[move](statements))
        except CeremonyEndedError as error:
            _log.warning("%s", error.what)
            self._end(error.complaint)
            return Said(text_of(error.complaint), "ended")

    def under_way(self) -> Progress | None:
        """The last ceremony, if there was one."""
        found = self.shares.ceremony()
        return found[0] if found else None

    def state(self, progress: Progress) -> str:
        """Of a ceremony, or `active` when its key set is in use."""
        if progress.state == "confirmed":
            for signed in self.shares.answered_for():
                keys, opening = signed.keys, progress.opening
                if (keys.epoch, keys.generation) == (opening.epoch, opening.generation):
                    return "active"
        return progress.state

    def _open(self, statements: Sequence[bytes]) -> tuple[bytes, str]:
        opening = read_text(Opening, _only(statements))
        found = self.shares.ceremony()
        if found is not None and found[0].opening == opening:
            progress, seed = found
            if progress.complaints:
                raise CeremonyEndedError(progress.complaints[0], self.side.convicted(progress))
            if progress.promises:
                return text_of(progress.promises[self._place(opening)]), progress.state
        else:
            check_may_sign(
                self.shares.signed(),
                opening.epoch,
                opening.generation,
                bool(opening.renews),
                self.shares.dealt(),
            )
            progress, seed = Progress(opening), self.random(32)
        promise = self.side.open(opening, seed, self._renewed(opening))
        self.shares.keep_ceremony(progress, seed)
        return text_of(promise), progress.state

    def _deal(self, statements: Sequence[bytes]) -> tuple[bytes, str]:
        promises = tuple(read_text(Promise, text) for text in statements)
        progress, seed = self._current(promises)
        if progress.dealings and progress.promises == promises:
            return text_of(progress.dealings[self._place(progress.opening)]), progress.state
        after, dealing = self.side.deal(progress, promises, seed)
        self.shares.keep_dealt(after, seed)
        return text_of(dealing), after.state

    def _confirm(self, statements: Sequence[bytes]) -> tuple[bytes, str]:
        dealings = tuple(read_text(Dealing, text) for text in statements)
        progress, seed = self._current(dealings)
        if progress.dealings and progress.dealings == dealings:
            return self._confirmed_before(progress)
        renewed = self._renewed(progress.opening)
        after, share, said = self.side.confirm(progress, dealings, seed, renewed)
        self.shares.keep_confirmed(after, share)
        return text_of(said), after.state

    def _confirmed_before(self, progress: Progress) -> tuple[bytes, str]:
        opening = progress.opening
        keys = self.shares.confirmed_keys(opening.epoch, opening.generation)
        return text_of(confirm(self.side.identity, keys, opening.holders)), progress.state

    def _activate(self, statements: Sequence[bytes]) -> tuple[bytes, str]:
        signed = read_signed(_only(statements))
        if self.shares.active(signed.keys.name) is not None:
            return b"", "active"
        share = self.shares.confirmed(signed.keys.name)
        if share is None:
            raise WrongMoveError("this holder has not confirmed this key set, or has left it")
        self.side.activate(share, signed)
        self.shares.keep_active(signed, self.clock().date())
        keys = signed.keys
        _log.info("in use: epoch %d, generation %d", keys.epoch, keys.generation)
        return b"", "active"

    def _complain(self, statements: Sequence[bytes]) -> tuple[bytes, str]:
        complaint = read_text(Complaint, _only(statements))
        found = self.shares.ceremony()
        if found is None or found[0].opening.name != complaint.opening:
            raise WrongMoveError("a complaint is not about the ceremony under way")
        progress, _ = found
        if progress.complaints:
            return text_of(progress.complaints[0]), "ended"
        after, convicted = self.side.heed(progress, complaint)
        self.shares.keep_ceremony(after, b"")
        _log.warning("the key ceremony ended without a key: %s is to blame", convicted)
        return text_of(complaint), after.state

    def _end(self, complaint: Complaint) -> None:
        found = self.shares.ceremony()
        if found is not None and not found[0].complaints:
            self.shares.keep_ceremony(replace(found[0], complaints=(complaint,)), b"")

    def _current(
        self, statements: tuple[Promise, ...] | tuple[Dealing, ...]
    ) -> tuple[Progress, bytes]:
        found = self.shares.ceremony()
        if found is None:
            raise WrongMoveError("no key ceremony is under way here")
        if any(said.opening != found[0].opening.name for said in statements):
            raise WrongMoveError("another key ceremony is under way here")
        return found

    def _renewed(self, opening: Opening) -> KeyShare | None:
        if not opening.renews:
            return None
        share = self.shares.active(opening.renews)
        if share is None:
            raise PeerError("the keys to renew are not in use here")
        return share

    def _place(self, opening: Opening) -> int:
        return opening.holders.index(self.side.code)


def _only(statements: Sequence[bytes]) -> bytes:
    if len(statements) != 1:
        raise PeerError("this step takes one statement")
    return statements[0]
