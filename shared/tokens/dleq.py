"""Proof that one secret number joins a public key to answers: RFC 9497 section 2.2.

    B = k A,  D_i = k C_i for all i          proof = (c, s), 64 bytes

All C_i and D_i are first folded into two elements M and Z with weights hashed from all of them, so
a proof is of constant size, and the prover, who knows k, needs one multiplication each.
"""

from __future__ import annotations

import hmac
from hashlib import sha512

from shared.errors import InternalError, PeerError
from shared.tokens.group import (
    ORDER,
    WIDTH,
    Group,
    InvalidPointError,
    Points,
    RandomBytes,
    random_numbers,
    scalars_of,
)
from shared.tokens.oprf import Suite, with_length

PROOF_BYTES = 64
MOST = 2**16 - 1


class WrongProofError(PeerError):
    """The proof does not fit the answers and the public share."""

    def __init__(self) -> None:
        super().__init__("the proof does not fit the answers and the public key of who gave it")


def prove(
    group: Group,
    suite: Suite,
    secret: int,
    base: Points,
    public: Points,
    asked: Points,
    answered: Points,
    random: RandomBytes,
) -> bytes:
    """GenerateProof: `secret` takes `base` (1, 32) to `public` (1, 32) and each row of `asked`
    (n, 32) to the same row of `answered`, 1 <= n < 65536. 64 bytes: challenge, response.
    """
    folded = _fold(group, suite, public, asked, answered)[0]
    key, (nonce,) = scalars_of([secret]), random_numbers(1, random)
    drawn = scalars_of([nonce])
    challenge = _challenge(
        suite,
        public,
        folded,
        group.multiply(folded, key),
        group.multiply(base, drawn),
        group.multiply(folded, drawn),
    )
    return scalars_of([challenge, nonce - challenge * secret]).tobytes()


def verify(
    group: Group,
    suite: Suite,
    base: Points,
    public: Points,
    asked: Points,
    answered: Points,
    proof: bytes,
) -> None:
    """VerifyProof: return when `proof` holds for these arrays, as `prove` takes them.

    WrongProofError when it does not, or when what came is not a proof or not elements.
    """
    if len(proof) != PROOF_BYTES:
        raise WrongProofError
    challenge, response = (
        int.from_bytes(part, "little") for part in (proof[:WIDTH], proof[WIDTH:])
    )
    if challenge >= ORDER or response >= ORDER:
        raise WrongProofError
    c, s = scalars_of([challenge]), scalars_of([response])
    try:
        # multiplying refuses what is no element, and the identity
        folded, image = _fold(group, suite, public, asked, answered, image=True)
        of_base = group.add(group.multiply(base, s), group.multiply(public, c))
        of_folded = group.add(group.multiply(folded, s), group.multiply(image, c))
    except InvalidPointError as error:
        raise WrongProofError from error
    expected = _challenge(suite, public, folded, image, of_base, of_folded)
    if not hmac.compare_digest(proof[:WIDTH], scalars_of([expected]).tobytes()):
        raise WrongProofError


def _fold(
    group: Group,
    suite: Suite,
    public: Points,
    asked: Points,
    answered: Points,
    *,
    image: bool = False,
) -> tuple[Points, ...]:
    """M, and Z where `image` asks for it: ComputeComposites, section 2.2.1."""
    if not 0 < len(asked) == len(answered) <= MOST:
        raise InternalError("a proof is over one pair of points or more, below 65536")
    seeded = with_length(public.tobytes()) + with_length(b"Seed-" + suite.context)
    seed = with_length(sha512(seeded).digest())
    pairs = zip(_rows(asked), _rows(answered), strict=True)
    weights = scalars_of(
        suite.hash_to_scalar(
            seed + place.to_bytes(2, "big") + with_length(c) + with_length(d) + b"Composite"
        )
        for place, (c, d) in enumerate(pairs)
    )
    columns = (asked, answered) if image else (asked,)
    return tuple(group.total(group.multiply(column, weights)) for column in columns)


def _challenge(suite: Suite, *elements: Points) -> int:
    transcript = b"".join(with_length(element.tobytes()) for element in elements)
    return suite.hash_to_scalar(transcript + b"Challenge")


def _rows(points: Points) -> list[bytes]:
    return [row.tobytes() for row in points]
