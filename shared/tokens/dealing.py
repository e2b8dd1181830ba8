"""One dealer's part of a key ceremony: its polynomial, its promise, its sealed shares, and checks.

    f(x) = a₀ + a₁x + … + a_{t−1}x^{t−1}     commitments C_k = a_k·G     share of holder j: f(j)
    check of a share s of holder j:  s·G = Σ j^k·C_k                    (Feldman, FOCS 1987)
    proof of a₀:  R = r·G, c = H(opening, dealer, C_0, R), μ = r + c·a₀;  μ·G = R + c·C_0

Invariants:
- Everything secret follows from 32 bytes of the holder's own and the opening, so a holder that was
  interrupted says the same again, and wiping these bytes wipes all of it.
- In a renewal the constant is zero by form, not by promise: there is no commitment to it.
- The proof names ceremony and dealer, so no dealer can take over another's constant, nor cancel it
  (a rogue key; Komlo and Goldberg, FROST, SAC 2020, figure 1; Ristenpart and Yilek, 2007).
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from shared.errors import InternalError, PeerError
from shared.secure_sum.suite import KEY_BYTES, STANDARD
from shared.tokens.ceremony_statements import (
    Complaint,
    Dealing,
    Opening,
    Promise,
    digest_of,
    promise_of,
)
from shared.tokens.group import ORDER, WIDTH, Group, Points, points_of, random_numbers, scalars_of
from shared.tokens.sharing import share

_DOMAIN = b"lianfang/key-ceremony/v1/"
PROOF_BYTES = 64


class FaultError(PeerError):
    """A dealer did wrong: `dealer`, and `fault`, one of `ceremony_statements.FAULTS`."""

    def __init__(self, dealer: str, fault: str) -> None:
        super().__init__(f"key holder {dealer}: {fault}")
        self.dealer = dealer
        self.fault = fault


@dataclass(frozen=True)
class Secrets:
    """What a dealer knows alone. `coefficients`: all of them, constant first."""

    coefficients: tuple[int, ...] = field(repr=False)
    transport: bytes = field(repr=False)
    nonce: int = field(repr=False)

    def share(self, index: int) -> int:
        """The polynomial's value at a holder's place."""
        return share(self.coefficients, index)


def secrets_of(opening: Opening, seed: bytes) -> Secrets:
    """The secrets that follow from 32 secret bytes, drawn for this ceremony only."""
    if len(seed) != KEY_BYTES:
        raise InternalError(f"a ceremony's secret has {KEY_BYTES} bytes, got {len(seed)}")
    stream = _stream(opening.name, seed)
    transport = STANDARD.private_key(stream(KEY_BYTES))
    *coefficients, nonce = random_numbers(opening.threshold + 1, stream)
    if opening.renews:
        coefficients[0] = 0
    return Secrets(tuple(coefficients), transport, nonce)


def commit(group: Group, opening: Opening, holder: str, secrets: Secrets) -> Dealing:
    """The commitments and proof of a Dealing, without its boxes and signature."""
    committed = secrets.coefficients[1:] if opening.renews else secrets.coefficients
    commitments = rows_of(group.multiply_base(scalars_of(committed)))
    proof = b""
    if not opening.renews:
        point = group.multiply_base(scalars_of([secrets.nonce])).tobytes()
        challenge = _challenge(opening.name, holder, commitments[0], point)
        answer = (secrets.nonce + challenge * secrets.coefficients[0]) % ORDER
        proof = point + scalars_of([answer]).tobytes()
    return Dealing(opening.name, holder, (), commitments, proof, ())


def seal_shares(
    opening: Opening, holder: str, secrets: Secrets, promises: Sequence[Promise]
) -> tuple[bytes, ...]:
    """For each other holder in order its share, sealed. FaultError for a bad transport key."""
    heard = transcript_of(promises)
    boxes = []
    for index, promise in enumerate(promises, start=1):
        if promise.holder != holder:
            try:
                key = _box_key(secrets.transport, promise.transport, heard, holder, promise.holder)
            except PeerError as error:
                raise FaultError(promise.holder, "point") from error
            content = scalars_of([secrets.share(index)]).tobytes()
            boxes.append(STANDARD.seal(key, content, heard))
    return tuple(boxes)


def check_dealing(group: Group, opening: Opening, dealing: Dealing, promise: Promise) -> None:
    """What everybody can see of a dealing; FaultError naming its dealer."""
    dealer = dealing.holder
    if promise.promise != promise_of(opening.name, dealer, dealing.commitments, dealing.proof):
        raise FaultError(dealer, "promise")
    wanted = opening.threshold - bool(opening.renews)
    if len(dealing.commitments) != wanted or any(len(one) != WIDTH for one in dealing.commitments):
        raise FaultError(dealer, "commitments")
    try:
        group.check(points_of(dealing.commitments))
    except PeerError as error:
        raise FaultError(dealer, "commitments") from error
    _check_proof(group, opening, dealing)
    if len(dealing.boxes) != len(opening.holders) - 1:
        raise FaultError(dealer, "boxes")


def open_share(
    group: Group,
    opening: Opening,
    dealing: Dealing,
    holder: str,
    transport: bytes,
    promises: Sequence[Promise],
) -> int:
    """The share that a dealing, checked before, holds for `holder`; FaultError naming its dealer.

    `transport` is the holder's private key.
    """
    heard, dealer = transcript_of(promises), dealing.holder
    sender = next(one for one in promises if one.holder == dealer)
    others = [code for code in opening.holders if code != dealer]
    try:
        key = _box_key(transport, sender.transport, heard, dealer, holder)
        content = STANDARD.unseal(key, dealing.boxes[others.index(holder)], heard)
    except PeerError as error:
        raise FaultError(dealer, "box") from error
    index = opening.holders.index(holder) + 1
    number = int.from_bytes(content, "little")
    if len(content) != KEY_BYTES or not 0 < number < ORDER:
        raise FaultError(dealer, "share")
    shown = group.multiply_base(scalars_of([number])).tobytes()
    if shown != value_at(group, dealing.commitments, index, first=bool(opening.renews)):
        raise FaultError(dealer, "share")
    return number


def guilty(
    group: Group,
    opening: Opening,
    complaint: Complaint,
    dealing: Dealing,
    promises: Sequence[Promise],
) -> str:
    """Whom a complaint about a box convicts: the dealer, or the complainer if the box is right."""
    own = next(one for one in promises if one.holder == complaint.holder)
    try:
        if STANDARD.public_key(STANDARD.private_key(complaint.transport)) != own.transport:
            return complaint.holder
    except InternalError:  # not 32 bytes
        return complaint.holder
    try:
        open_share(group, opening, dealing, complaint.holder, complaint.transport, promises)
    except FaultError as fault:
        return fault.dealer
    return complaint.holder


def value_at(group: Group, commitments: Sequence[bytes], index: int, *, first: int) -> bytes:
    """Σ index^k·C_k, encoded; the first commitment is that to the coefficient `first`."""
    powers = [pow(index, first + k, ORDER) for k in range(len(commitments))]
    return group.total(group.multiply(points_of(commitments), scalars_of(powers))).tobytes()


def transcript_of(promises: Sequence[Promise]) -> bytes:
    """Digest, 32 bytes, of all promises: boxes are bound to it, and through it to the opening."""
    digest = hashlib.sha256(_DOMAIN + b"promises|")
    for promise in promises:
        digest.update(digest_of(promise))
    return digest.digest()


def rows_of(points: Points) -> tuple[bytes, ...]:
    """The encodings, 32 bytes each."""
    return tuple(row.tobytes() for row in points)


def _check_proof(group: Group, opening: Opening, dealing: Dealing) -> None:
    if opening.renews:
        if dealing.proof:
            raise FaultError(dealing.holder, "proof")
        return
    point, answer = dealing.proof[:32], dealing.proof[32:]
    number = int.from_bytes(answer, "little")
    if len(dealing.proof) != PROOF_BYTES or not 0 < number < ORDER:
        raise FaultError(dealing.holder, "proof")
    challenge = _challenge(opening.name, dealing.holder, dealing.commitments[0], point)
    try:
        right = group.add(
            points_of([point]),
            group.multiply(points_of(dealing.commitments[:1]), scalars_of([challenge])),
        )
    except PeerError as error:
        raise FaultError(dealing.holder, "proof") from error
    if group.multiply_base(scalars_of([number])).tobytes() != right.tobytes():
        raise FaultError(dealing.holder, "proof")


def _challenge(opening: bytes, holder: str, constant: bytes, point: bytes) -> int:
    code = holder.encode()
    text = b"proof|" + opening + constant + point + code
    return int.from_bytes(hashlib.sha512(_DOMAIN + text).digest(), "little") % ORDER


def _box_key(private: bytes, public: bytes, heard: bytes, sender: str, receiver: str) -> bytes:
    info = f"lianfang/key-share|{len(sender)}|{sender}|{receiver}".encode()
    return STANDARD.derive(STANDARD.agree(private, public), heard, info)


def _stream(name: bytes, seed: bytes) -> Callable[[int], bytes]:
    calls = 0

    def draw(size: int) -> bytes:
        nonlocal calls
        calls += 1
        counter = calls.to_bytes(4, "big")
        return hashlib.shake_256(_DOMAIN + b"secrets|" + seed + name + counter).digest(size)

    return draw
