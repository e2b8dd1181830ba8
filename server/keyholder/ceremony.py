"""The operator's side of key ceremonies: carries statements between the holders.

    generate    the first key
    refresh     new shares of the key in use
    rotate      a key of the next epoch, beside the one in use

Invariants:
- It is a relay: it signs nothing, knows no secret, and every holder checks everything it passes on.
- A ceremony that was interrupted is taken up where it was if any holder has confirmed it: the same
  opening gives the same statements. One that no holder confirmed is begun anew.
- What it returns is signed by all holders and in use at all of them. Holders that have not heard
  that a key set they signed is in use are told first, whichever holder shows it.
- What one holder says of itself is doubted by name and stops no ceremony of the others by itself.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import grpc

from server.actor import Actor
from server.keyholder.service import MOST_BYTES
from shared.errors import LianfangError, OperatorError, PeerError
from shared.identity.pem import certificate_to_pem
from shared.secure_sum.encoding import read_text, text_of
from shared.secure_sum.trust import Trust
from shared.tokens.ceremony_checks import Terms
from shared.tokens.ceremony_statements import FAULTS, Complaint, Opening, Promise
from shared.tokens.signed_keys import (
    SignedKeys,
    check_signed,
    gathered,
    read_confirmation,
    read_signed,
)
from shared.wire import keyholder_pb2 as wire
from shared.wire.keyholder_pb2_grpc import KeyHolderStub

SECONDS = 60.0
_log = logging.getLogger("lianfang.keyholder")


class Holder(Protocol):
    """One key holder, wherever it is. Both methods raise PeerError."""

    def step(self, move: str, statements: Sequence[bytes]) -> wire.StepReply:
        """One step of a ceremony."""

    def describe(self) -> wire.Description:
        """The key sets it has in use."""


@dataclass(frozen=True)
class Relay:
    """Carries ceremonies between `holders`, by code in order. `random`: for nonces."""

    terms: Terms
    holders: Mapping[str, Holder]
    trust: Trust
    random: Callable[[int], bytes]

    def generate(self) -> SignedKeys:
        """The consortium's first key. OperatorError if there is one already."""
        statuses = self._statuses()
        resumed, in_use = self._interrupted(statuses, renews=False), self._caught_up()
        if resumed is None and in_use:
            raise OperatorError("there is a key in use already", remedy="refresh or rotate it")
        return self._carry([resumed] if resumed else self._next_epochs(statuses))

    def rotate(self) -> SignedKeys:
        """A key of the next epoch. The one before goes on answering until it is retired."""
        statuses = self._statuses()
        resumed, in_use = self._interrupted(statuses, renews=False), self._caught_up()
        if resumed is None and not in_use:
            raise OperatorError("there is no key in use yet", remedy="generate one first")
        return self._carry([resumed] if resumed else self._next_epochs(statuses))

    def refresh(self, epoch: int | None = None) -> SignedKeys:
        """New shares of the key of an epoch, the last one unless said otherwise."""
        statuses = self._statuses()
        resumed, in_use = self._interrupted(statuses, renews=True), self._caught_up()
        if not in_use or (epoch is not None and epoch not in in_use):
            raise OperatorError("there is no such key in use", remedy="generate one first")
        keys = in_use[max(in_use) if epoch is None else epoch].keys
        if resumed is not None and resumed.epoch == keys.epoch:
            return self._carry([resumed])
        signed = {
            max(keys.generation, status.signed.get(keys.epoch, 0)) for status in statuses.values()
        }
        return self._carry([self._opening(keys.epoch, n + 1, keys.name) for n in _down(signed)])

    def _next_epochs(self, statuses: Mapping[str, wire.StepReply]) -> list[Opening]:
        signed = {max(status.signed, default=0) for status in statuses.values()}
        return [self._opening(number + 1, 1, b"") for number in _down(signed)]

    def _opening(self, epoch: int, generation: int, renews: bytes) -> Opening:
        terms = self.terms
        nonce = self.random(32)
        return Opening(
            terms.context, epoch, generation, terms.threshold, terms.holders, renews, nonce
        )

    def _carry(self, openings: Sequence[Opening]) -> SignedKeys:
        promises = self._opened(openings)
        dealings = self._all("deal", promises)
        said = [read_confirmation(text) for text in self._all("confirm", dealings)]
        certificates = [read_text(Promise, text).certificate for text in promises]
        signed = gathered(said, certificates)
        check_signed(signed, self.trust)
        self._all("activate", [text_of(signed)])
        return signed

    def _opened(self, openings: Sequence[Opening]) -> list[bytes]:
        """All promises to the first opening that every holder takes. Each comes after what a holder
        says it has signed: a number that one made up, the others do not follow.
        """
        for opening in openings[:-1]:
            try:
                return self._all("open", [text_of(opening)])
            except PeerError as error:
                number = f"{opening.epoch}, generation {opening.generation}"
                _log.warning("no ceremony of epoch %s: %s; ignored", number, error.what)
        return self._all("open", [text_of(openings[-1])])

    def _all(self, move: str, statements: Sequence[bytes]) -> list[bytes]:
        """What each holder answers to a step, in order; a complaint ends it and is told to all."""
        answers = []
        for code, holder in self.holders.items():
            reply = self._ask(code, holder, move, statements)
            if reply.state == "ended":
                raise self._ended(read_text(Complaint, reply.statement))
            answers.append(reply.statement)
        return answers

    def _ended(self, complaint: Complaint) -> PeerError:
        for code, holder in self.holders.items():
            if code != complaint.holder:
                try:
                    holder.step("complain", [text_of(complaint)])
                except PeerError as error:  # it is out of this ceremony in another way
                    _log.info("%s did not take the complaint: %s", code, error.what)
        about = FAULTS.get(complaint.fault, "its statement is wrong")
        return PeerError(
            f"the key ceremony ended without a key: {complaint.holder} shows that "
            f"{complaint.dealer} is wrong: {about}",
            remedy="the holders' logs name who is to blame; settle it, then begin anew",
        )

    def _ask(
        self, code: str, holder: Holder, move: str, statements: Sequence[bytes]
    ) -> wire.StepReply:
        try:
            return holder.step(move, statements)
        except PeerError as error:
            raise PeerError(
                f"the key ceremony stopped at {code}, step {move}: {error.what}",
                remedy=error.remedy or f"mend it at {code}, then give the same command again",
            ) from error

    def _statuses(self) -> dict[str, wire.StepReply]:
        return {
            code: self._ask(code, holder, "status", []) for code, holder in self.holders.items()
        }

    def _interrupted(
        self, statuses: Mapping[str, wire.StepReply], *, renews: bool
    ) -> Opening | None:
        """The opening that some holder has confirmed and not every holder has in use yet, if all
        are still in it.
        """
        for code, status in statuses.items():
            if status.state in ("confirmed", "active"):
                try:
                    opening = read_text(Opening, status.opening)
                except LianfangError:
                    _log.warning("%s shows no opening of its ceremony: ignored", code)
                    continue
                states = {self._state(other, opening) for other in statuses.values()}
                resumable = states <= {"dealt", "confirmed", "active"} and states != {"active"}
                if resumable and bool(opening.renews) == renews:
                    return opening
        return None

    def _state(self, status: wire.StepReply, opening: Opening) -> str:
        same = status.opening == text_of(opening)
        return status.state if same else "none"

    def _caught_up(self) -> dict[int, SignedKeys]:
        """The latest key set of each epoch that any holder has in use, checked, after all that have
        signed it have it in use as well: whoever relayed it may have told a few of them only.
        """
        shown = {code: self._shown(code, holder) for code, holder in self.holders.items()}
        found: dict[int, SignedKeys] = {}
        for known in shown.values():
            for epoch, signed in known.items():
                if epoch not in found or found[epoch].keys.generation < signed.keys.generation:
                    found[epoch] = signed
        for code, holder in self.holders.items():
            for epoch, signed in found.items():
                own = shown[code].get(epoch)
                if own is None or own.keys.name != signed.keys.name:
                    self._tell(code, holder, signed)
        return found

    def _tell(self, code: str, holder: Holder, signed: SignedKeys) -> None:
        keys = signed.keys
        try:
            holder.step("activate", [text_of(signed)])
            _log.info("%s had not heard of epoch %d, %d", code, keys.epoch, keys.generation)
        except PeerError as error:  # it has left this epoch, or comes to it later
            _log.info("%s does not take epoch %d: %s", code, keys.epoch, error.what)

    def _shown(self, code: str, holder: Holder) -> dict[int, SignedKeys]:
        """What a holder has in use, by epoch; what not all holders signed is ignored."""
        try:
            texts = holder.describe().keys
        except PeerError as error:
            raise PeerError(f"{code} does not describe its keys: {error.what}") from error
        found = {}
        for text in texts:
            try:
                signed = read_signed(text)
                check_signed(signed, self.trust)
                self._check_terms(signed)
            except PeerError as error:
                _log.warning("%s shows a key set that is none: %s; ignored", code, error.what)
            else:
                found[signed.keys.epoch] = signed
        return found

    def _check_terms(self, signed: SignedKeys) -> None:
        if (signed.keys.context, signed.holders) != (self.terms.context, self.terms.holders):
            raise PeerError("it is of other holders or another consortium")


class RemoteHolder:
    """A holder over gRPC and mutual TLS; `actor`: who relays, a coordinator or a holder."""

    def __init__(self, actor: Actor, code: str, address: str, seconds: float = SECONDS) -> None:
        pem = certificate_to_pem
        credentials = grpc.ssl_channel_credentials(
            pem(actor.authority), actor.transport_key, pem(actor.transport)
        )
        options = [
            ("grpc.ssl_target_name_override", code),
            ("grpc.max_receive_message_length", MOST_BYTES),
        ]
        self._channel = grpc.secure_channel(address, credentials, options=options)
        self._stub = KeyHolderStub(self._channel)  # type: ignore[no-untyped-call]
        self._seconds = seconds

    def step(self, move: str, statements: Sequence[bytes]) -> wire.StepReply:
        """One step; PeerError with the holder's own sentence, or that it does not answer."""
        question = wire.Step(move=move, statements=statements)
        try:
            reply: wire.StepReply = self._stub.Ceremony(question, timeout=self._seconds)
        except grpc.RpcError as error:
            raise _refused(error) from error
        return reply

    def describe(self) -> wire.Description:
        """The key sets in use there."""
        try:
            reply: wire.Description = self._stub.Describe(
                wire.DescribeRequest(), timeout=self._seconds
            )
        except grpc.RpcError as error:
            raise _refused(error) from error
        return reply

    def close(self) -> None:
        """Let the connection go."""
        self._channel.close()


def relay_of(
    actor: Actor,
    terms: Terms,
    addresses: Mapping[str, str],
    trust: Trust,
    random: Callable[[int], bytes],
) -> Relay:
    """A relay to holders at addresses ("host:port") by code; OperatorError when one is missing."""
    if set(addresses) != set(terms.holders):
        raise OperatorError(
            f"the key holders are {', '.join(terms.holders)}, and addresses are given of "
            f"{', '.join(sorted(addresses)) or 'none'}",
            remedy="give one address for each holder, as CODE=HOST:PORT",
        )
    holders = {code: RemoteHolder(actor, code, addresses[code]) for code in terms.holders}
    return Relay(terms, holders, trust, random)


def _down(signed: Collection[int]) -> list[int]:
    return sorted(signed, reverse=True)


def _refused(error: grpc.RpcError) -> PeerError:
    code = error.code()
    if code in (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED):
        return PeerError("it does not answer")
    return PeerError(str(error.details() or code.name))
