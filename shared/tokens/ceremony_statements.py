"""What key holders say to each other to make or renew a key, and what each signature covers.

    operator   Opening ►            Promises ►           Dealings ►               SignedKeys ►
    holder           ◄ Promise            ◄ Dealing            ◄ Confirmation
    either, instead of its own statement:                      ◄ Complaint

Invariants:
- Each statement names its opening by digest, and each holder's promise holds a fresh key of its
  own, so nothing said in one ceremony fits another.
- A Dealing names every promise it was made after. It fits its own dealer's promise or convicts it.
- The operator who relays is not trusted: it can stop a ceremony, and cannot say anything in it.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from typing import TypeVar

from shared.secure_sum.encoding import text_of
from shared.secure_sum.suite import STANDARD

FEWEST_SHARES, MOST_HOLDERS = 2, 32
MOST_NUMBER = 1_000_000
"""Of epochs and of generations."""
FAULTS = {
    "point": "its key for sealing is no point that a secret can be agreed with",
    "promise": "what it revealed is not what it promised",
    "commitments": "its commitments are not as many valid points as the threshold asks for",
    "proof": "it does not prove that it knows the secret it commits to",
    "boxes": "it did not deal one share to each holder",
    "box": "its box does not open",
    "share": "the share in its box does not fit its commitments",
}
"""What a dealer can do wrong, each provable from signed statements."""
_SEALED = ("box", "share")
_DOMAIN = b"lianfang/key-ceremony/v1/"


@dataclass(frozen=True)
class Opening:
    """Operator: a ceremony of `holders`, their codes in order; a holder's place, from 1, is its
    share's. `renews` is empty for a fresh key; else it names the key set whose shares are renewed.
    `nonce`: 32 random bytes.
    """

    context: str
    epoch: int
    generation: int
    threshold: int
    holders: tuple[str, ...]
    renews: bytes
    nonce: bytes

    @property
    def name(self) -> bytes:
        """Digest, 32 bytes, by which all that follows refers to it."""
        return digest_of(self)


@dataclass(frozen=True)
class Promise:
    """Holder: the digest of what it will reveal, and its X25519 key for this ceremony's boxes."""

    opening: bytes
    holder: str
    certificate: bytes
    transport: bytes
    promise: bytes
    signature: bytes = b""


@dataclass(frozen=True)
class Dealing:
    """Holder, once it has all promises: `promises`, their digests in order; commitments to the
    coefficients of its polynomial, constant first (left out where it is zero); proof that it knows
    the constant, 64 bytes (none where it is zero); for every other holder in order a sealed share.
    """

    opening: bytes
    holder: str
    promises: tuple[bytes, ...]
    commitments: tuple[bytes, ...]
    proof: bytes
    boxes: tuple[bytes, ...]
    signature: bytes = b""


@dataclass(frozen=True)
class Complaint:
    """Holder: a dealer's statement is wrong, and this holder will never confirm this ceremony.

    For what only a box shows, `transport` is this holder's private key of this ceremony: everybody
    can open the box and see who is wrong. Nothing rests on that key any more.
    """

    opening: bytes
    holder: str
    dealer: str
    fault: str
    transport: bytes
    signature: bytes = b""

    @property
    def about_a_box(self) -> bool:
        """Whether the private key belongs with it."""
        return self.fault in _SEALED


Signed = Promise | Dealing | Complaint
S = TypeVar("S", Promise, Dealing, Complaint)


def digest_of(statement: Opening | Signed) -> bytes:
    """SHA-256 of the whole statement, its signature included."""
    return hashlib.sha256(_DOMAIN + text_of(statement)).digest()


def promise_of(opening: bytes, holder: str, commitments: tuple[bytes, ...], proof: bytes) -> bytes:
    """The digest that binds a dealer, 32 bytes. It hides as well: commitments are random points."""
    return digest_of(Dealing(opening, holder, (), commitments, proof, ()))


def signed(private: bytes, statement: S) -> S:
    """The statement with the signature of a raw Ed25519 key."""
    return replace(statement, signature=STANDARD.sign(private, _transcript(statement)))


def check_signature(public: bytes, statement: Signed) -> None:
    """PeerError unless `public` signed the statement."""
    STANDARD.verify(public, statement.signature, _transcript(statement))


def _transcript(statement: Signed) -> bytes:
    return _DOMAIN + text_of(replace(statement, signature=b""))
