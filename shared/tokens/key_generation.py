"""A key that nobody ever has: holders make it together, without a dealer, or renew their shares.

    open      Opening ──► Promise        digest of commitments and proof: nobody can choose its own
                                         after it has seen another's
    deal      all Promises ──► Dealing   commitments, proof of possession, a sealed share for each
    confirm   all Dealings ──► Confirmation, once the share is on this holder's disk
    activate  SignedKeys                 all holders signed the same key set: it is in use

    key = Σ a₀ of all dealers       share of holder j = Σ f_i(j)       public = Σ C_{i,0}

Invariants:
- Nothing here keeps anything: what a holder must not forget is its `Progress`, which is put on disk
  before what was said leaves. Asked the same again it says the same; asked anything else in a
  ceremony that has gone on, WrongMoveError.
- A holder confirms only if every dealer's statements are right. One is wrong: it complains, naming
  the dealer, and this ceremony ends with no key at this holder.
- A share is in use only when all holders confirmed. So t honest holders in agreement are not
  enough to make a key, and all of them know the same one.
- Message errors that anybody on the way could have made (a signature that does not fit) blame
  nobody and change nothing.

Source: Pedersen, Eurocrypt 1991, with the proofs of possession of Komlo and Goldberg (FROST, SAC
2020, figure 1) and commitments revealed after promises, as Gennaro and others (J. Cryptology 2007)
ask for: no holder's choice can depend on another's.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from shared.errors import PeerError
from shared.identity.certificate import Identity
from shared.secure_sum.suite import STANDARD
from shared.secure_sum.trust import Trust
from shared.tokens.ceremony_checks import (
    Terms,
    WrongMoveError,
    check_dealings,
    check_opening,
    check_promises,
    check_renewed,
    check_same,
)
from shared.tokens.ceremony_statements import (
    FAULTS,
    Complaint,
    Dealing,
    Opening,
    Promise,
    check_signature,
    digest_of,
    promise_of,
    signed,
)
from shared.tokens.dealing import (
    FaultError,
    check_dealing,
    commit,
    guilty,
    open_share,
    seal_shares,
    secrets_of,
)
from shared.tokens.group import Group
from shared.tokens.keys import KeyShare
from shared.tokens.refresh import keys_of, new_share
from shared.tokens.signed_keys import (
    Confirmation,
    SignedKeys,
    check_signed,
    confirm,
    holder_of,
)

MOVES = {
    "opened": ("open", "deal"),
    "dealt": ("open", "deal", "confirm"),
    "confirmed": ("open", "deal", "confirm", "activate"),
    "ended": (),
}
"""What may be asked of a ceremony in each state. A repeated question must be the same question."""


class CeremonyEndedError(PeerError):
    """The ceremony is over without a key. `dealer`: whose fault; `complaint`: what to tell all."""

    def __init__(self, complaint: Complaint, dealer: str) -> None:
        super().__init__(
            f"the key ceremony ended without a key: {dealer}: {_words(complaint, dealer)}",
            remedy=f"settle it with {dealer}, then begin a new ceremony; no share was kept",
        )
        self.dealer = dealer
        self.complaint = complaint


@dataclass(frozen=True)
class Progress:
    """What a holder has on disk of a ceremony, beside its 32 secret bytes. Nothing of it is secret.

    `complaints`: one, once the ceremony ended without a key.
    """

    opening: Opening
    promises: tuple[Promise, ...] = ()
    dealings: tuple[Dealing, ...] = ()
    complaints: tuple[Complaint, ...] = ()

    @property
    def state(self) -> str:
        """A key of `MOVES`."""
        if self.complaints:
            return "ended"
        if self.dealings:
            return "confirmed"
        return "dealt" if self.promises else "opened"


@dataclass(frozen=True)
class HolderSide:
    """One holder's part in ceremonies. `seed`, wherever it is asked for: 32 secret bytes drawn for
    the ceremony; `renewed`: this holder's share of the keys that the opening renews, or None.
    """

    identity: Identity
    terms: Terms
    trust: Trust
    group: Group

    @property
    def code(self) -> str:
        """This holder's code."""
        return self.identity.member.code

    def open(self, opening: Opening, seed: bytes, renewed: KeyShare | None) -> Promise:
        """This holder's promise; PeerError unless the opening is what its operator agreed to."""
        check_opening(opening, self.terms, self.code)
        check_renewed(opening, self.code, renewed)
        secrets = secrets_of(opening, seed)
        part = commit(self.group, opening, self.code, secrets)
        said = Promise(
            opening.name,
            self.code,
            self.identity.member.certificate,
            STANDARD.public_key(secrets.transport),
            promise_of(opening.name, self.code, part.commitments, part.proof),
        )
        return signed(self.identity.private, said)

    def deal(
        self, progress: Progress, promises: Sequence[Promise], seed: bytes
    ) -> tuple[Progress, Dealing]:
        """This holder's dealing, all promises being there; CeremonyEndedError names a dealer."""
        self._check_move(progress, "deal")
        opening, heard = progress.opening, tuple(promises)
        if progress.promises:
            check_same(progress.promises, heard, "promises")
        check_promises(opening, heard, self.trust)
        secrets = secrets_of(opening, seed)
        part = commit(self.group, opening, self.code, secrets)
        mine = heard[opening.holders.index(self.code)]
        revealed = promise_of(opening.name, self.code, part.commitments, part.proof)
        own = self.identity.member.certificate
        if (mine.promise, mine.certificate) != (revealed, own):
            raise WrongMoveError("this holder's own promise is not the one it made")
        try:
            boxes = seal_shares(opening, self.code, secrets, heard)
        except FaultError as fault:
            raise self._complaint(opening, fault, seed) from fault
        names = tuple(digest_of(promise) for promise in heard)
        said = replace(part, promises=names, boxes=boxes)
        return replace(progress, promises=heard), signed(self.identity.private, said)

    def confirm(
        self, progress: Progress, dealings: Sequence[Dealing], seed: bytes, renewed: KeyShare | None
    ) -> tuple[Progress, KeyShare, Confirmation]:
        """This holder's share and what it says once that is on disk; CeremonyEndedError names a
        dealer whose statement is wrong.
        """
        self._check_move(progress, "confirm")
        opening, heard = progress.opening, tuple(dealings)
        if progress.dealings:
            check_same(progress.dealings, heard, "dealings")
        check_dealings(opening, progress.promises, heard, self.trust)
        secrets = secrets_of(opening, seed)
        try:
            received = [
                self._share(progress, dealing, secrets.transport)
                for dealing in heard
                if dealing.holder != self.code
            ]
        except FaultError as fault:
            raise self._complaint(opening, fault, seed) from fault
        index = opening.holders.index(self.code) + 1
        keys = keys_of(self.group, opening, heard, renewed.keys if renewed else None)
        own = [secrets.share(index), *received]
        share = new_share(self.group, keys, index, own, renewed)
        said = confirm(self.identity, keys, opening.holders)
        return replace(progress, dealings=heard), share, said

    def activate(self, share: KeyShare, keys: SignedKeys) -> None:
        """Returns if all holders confirmed the keys this share is of; else PeerError."""
        if keys.keys != share.keys:
            raise WrongMoveError("other keys are to be activated than this holder confirmed")
        if keys.index(self.code) != share.index:
            raise WrongMoveError("this holder's place is not the one it confirmed")
        check_signed(keys, self.trust)

    def heed(self, progress: Progress, complaint: Complaint) -> tuple[Progress, str]:
        """The ceremony ended by a holder's complaint, and whom it convicts.

        PeerError when the complaint is not one of this ceremony, signed by a holder.
        """
        opening = progress.opening
        if complaint.opening != opening.name or complaint.fault not in FAULTS:
            raise PeerError("a complaint is not about this ceremony")
        by = {promise.holder: promise for promise in progress.promises}
        if complaint.holder not in by or complaint.dealer not in opening.holders:
            raise WrongMoveError("a complaint came before the promises, or from no holder")
        member = holder_of(by[complaint.holder].certificate, complaint.holder, self.trust)
        check_signature(member.public, complaint)
        ended = replace(progress, complaints=(complaint,))
        return ended, self.convicted(ended)

    def convicted(self, progress: Progress) -> str:
        """Whom the complaint that ended a ceremony convicts: the dealer it names, or, if this
        holder can see that the dealer's box is right, whoever complained.
        """
        (complaint,) = progress.complaints
        said = next((one for one in progress.dealings if one.holder == complaint.dealer), None)
        if not complaint.about_a_box or said is None:
            return complaint.dealer
        return guilty(self.group, progress.opening, complaint, said, progress.promises)

    def _share(self, progress: Progress, dealing: Dealing, transport: bytes) -> int:
        opening, promises = progress.opening, progress.promises
        sender = promises[opening.holders.index(dealing.holder)]
        check_dealing(self.group, opening, dealing, sender)
        return open_share(self.group, opening, dealing, self.code, transport, promises)

    def _check_move(self, progress: Progress, move: str) -> None:
        if progress.complaints:
            raise CeremonyEndedError(progress.complaints[0], self.convicted(progress))
        if move not in MOVES[progress.state]:
            raise WrongMoveError(f"a ceremony that is {progress.state} does not {move}")

    def _complaint(self, opening: Opening, fault: FaultError, seed: bytes) -> CeremonyEndedError:
        said = Complaint(opening.name, self.code, fault.dealer, fault.fault, b"")
        if said.about_a_box:
            said = replace(said, transport=secrets_of(opening, seed).transport)
        return CeremonyEndedError(signed(self.identity.private, said), fault.dealer)


def _words(complaint: Complaint, dealer: str) -> str:
    if dealer == complaint.dealer:
        return FAULTS[complaint.fault]
    return f"it complained about {complaint.dealer}, whose statement is right"
