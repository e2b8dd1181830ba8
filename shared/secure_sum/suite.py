"""The cryptographic operations the secure sum is built from, behind one interface.

Invariants:
- Keys, public keys and signatures are opaque bytes to callers, so another suite (SM2, SM3, SM4)
  needs no change outside this file.
- The other side's bytes raise PeerError; a wrong length of our own bytes is InternalError. No
  message holds a key, a plaintext or a vector.
- Nothing here draws randomness: seeds are passed in.

Two X25519 public keys can agree on the same secret (RFC 7748 §7: points that differ by a point of
low order), and whoever holds neither private key can make such a twin. So a caller binds both
parties' names or keys into `derive`; comparing public keys does not find twins.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Protocol

import numpy as np
from cryptography.exceptions import InvalidSignature, InvalidTag
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers import Cipher, CipherContext, algorithms, modes
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from numpy.typing import NDArray

from shared.errors import InternalError, PeerError

Randomness = Callable[[int], bytes]
"""Gives that many bytes, each uniform and independent of all others: `os.urandom` outside tests."""

KEY_BYTES = 32
_FIELD = 2**255 - 19  # of Curve25519
_CHUNK = 1 << 17  # bytes of the total worked on at once; with zeros and stream it stays in L2
_ZEROS = memoryview(bytes(_CHUNK))
_NONCE = bytes(12)
_FROM_NOUGHT = modes.CTR(bytes(16))


class Suite(Protocol):
    """What the state machines ask of cryptography. All byte strings; secrets are 32 bytes."""

    name: str
    """Names the algorithms and their version; both sides must hold the same."""

    def private_key(self, seed: bytes) -> bytes:
        """The private key, 32 bytes, that 32 uniform bytes stand for."""

    def public_key(self, private: bytes) -> bytes:
        """The public key others need to agree on a secret with this private key."""

    def agree(self, private: bytes, public: bytes) -> bytes:
        """The secret, 32 bytes, both sides reach; for `derive` only. PeerError for a bad point."""

    def agree_many(self, private: bytes, publics: Sequence[bytes]) -> list[bytes]:
        """`agree` with each public key in order; twice as fast, the private key is read once."""

    def digest(self, message: bytes | memoryview) -> bytes:
        """Collision-resistant hash, 32 bytes."""

    def derive(self, secret: bytes, salt: bytes, info: bytes) -> bytes:
        """A key of 32 bytes from a secret, for one purpose named by `salt` and `info`."""

    def seal(self, key: bytes, plaintext: bytes, bound_to: bytes) -> bytes:
        """The plaintext encrypted and authenticated together with `bound_to`, which is not sent.

        A key seals once: derive one for each box, so that no nonce is needed.
        """

    def unseal(self, key: bytes, sealed: bytes, bound_to: bytes) -> bytes:
        """The plaintext of `seal`; PeerError when anything differs from what was sealed."""

    def add_streams(
        self, total: NDArray[np.uint32], added: Sequence[bytes], subtracted: Sequence[bytes]
    ) -> None:
        """In place: total (n,) += Σ stream(added key) − Σ stream(subtracted key) mod 2**32.

        A key of 32 bytes has one stream of uniform words, so it masks one vector, once.
        """

    def sign(self, private: bytes, message: bytes) -> bytes:
        """The identity's signature of the message; the same each time."""

    def verify(self, public: bytes, signature: bytes, message: bytes) -> None:
        """Returns when the signature is this identity's of this message; else PeerError."""


class StandardSuite:
    """X25519, Ed25519, SHA-256, HKDF, ChaCha20-Poly1305 and AES-256-CTR, by `cryptography`."""

    name: str = "x25519-ed25519-sha256-chacha20poly1305-aes256ctr/v1"

    def private_key(self, seed: bytes) -> bytes:
        """The seed itself: X25519 clamps it at use (RFC 7748 §5), Ed25519 hashes it."""
        return _secret(seed)

    def public_key(self, private: bytes) -> bytes:
        """X25519 public key, 32 bytes (RFC 7748 §6.1)."""
        return X25519PrivateKey.from_private_bytes(_secret(private)).public_key().public_bytes_raw()

    def agree(self, private: bytes, public: bytes) -> bytes:
        """X25519 (RFC 7748 §6.1). PeerError for a low-order, non-canonical or malformed point."""
        return self.agree_many(private, [public])[0]

    def agree_many(self, private: bytes, publics: Sequence[bytes]) -> list[bytes]:
        """X25519 with each public key; reading the private key costs as much as one agreement."""
        own = X25519PrivateKey.from_private_bytes(_secret(private))
        return [_x25519(own, public) for public in publics]

    def digest(self, message: bytes | memoryview) -> bytes:
        """SHA-256."""
        return hashlib.sha256(message).digest()

    def derive(self, secret: bytes, salt: bytes, info: bytes) -> bytes:
        """HKDF-SHA256, extract and expand (RFC 5869)."""
        return HKDF(hashes.SHA256(), KEY_BYTES, salt, info).derive(secret)

    def seal(self, key: bytes, plaintext: bytes, bound_to: bytes) -> bytes:
        """ChaCha20-Poly1305 (RFC 8439 §2.8), 16 bytes longer than the plaintext.

        The nonce is zero. A nonce must not repeat *under one key*; every key seals once, so there
        is nothing to repeat.
        """
        return ChaCha20Poly1305(_secret(key)).encrypt(_NONCE, plaintext, bound_to)

    def unseal(self, key: bytes, sealed: bytes, bound_to: bytes) -> bytes:
        """ChaCha20-Poly1305 opened; PeerError when key, text, tag or binding differ."""
        try:
            return ChaCha20Poly1305(_secret(key)).decrypt(_NONCE, sealed, bound_to)
        except InvalidTag:
            raise PeerError(
                "a sealed box does not open: it was changed, or is not for us"
            ) from None

    def add_streams(
        self, total: NDArray[np.uint32], added: Sequence[bytes], subtracted: Sequence[bytes]
    ) -> None:
        """AES-256-CTR keystreams (NIST SP 800-38A §6.5) read as little-endian words.

        The counter starts at zero, which is safe as a key has one stream. All keys are applied to
        one chunk of the total before the next, so memory traffic does not grow with the keys; one
        chunk and a cipher for each key is all that is needed beside the total.
        """
        if total.ndim != 1 or total.dtype != np.uint32:
            raise InternalError(f"expected a uint32 vector, got {total.dtype} {total.shape}")
        ciphers: list[tuple[CipherContext, np.ufunc]] = [
            *((_keystream(key), np.add) for key in added),
            *((_keystream(key), np.subtract) for key in subtracted),
        ]
        stream = np.empty(min(_CHUNK, 4 * len(total)), np.uint8)
        out, words = stream.data, stream.view("<u4")
        for start in range(0, len(total), _CHUNK // 4):
            chunk = total[start : start + len(words)]
            plain, mask = _ZEROS[: 4 * len(chunk)], words[: len(chunk)]
            for cipher, operation in ciphers:
                cipher.update_into(plain, out)
                operation(chunk, mask, out=chunk)

    def sign(self, private: bytes, message: bytes) -> bytes:
        """Ed25519, 64 bytes (RFC 8032 §5.1.6); deterministic, so no randomness can fail."""
        return _signer(_secret(private)).sign(message)

    def verify(self, public: bytes, signature: bytes, message: bytes) -> None:
        """Ed25519 (RFC 8032 §5.1.7). PeerError for a malformed key or another signature.

        One that fits is remembered: the same statement is shown again and again, and in a
        simulation to many lenders of one process.
        """
        try:
            _verified(bytes(public), bytes(signature), bytes(message))
        except (ValueError, InvalidSignature):
            raise PeerError("a signature does not fit its message and signer") from None


STANDARD: Suite = StandardSuite()
"""The suite of every profile today."""


@lru_cache(maxsize=64)
def _signer(private: bytes) -> Ed25519PrivateKey:
    """Reading a key costs more than signing; an identity's is in memory as long as its process."""
    return Ed25519PrivateKey.from_private_bytes(private)


@lru_cache(maxsize=4096)
def _verified(public: bytes, signature: bytes, message: bytes) -> None:
    Ed25519PublicKey.from_public_bytes(public).verify(signature, message)


def _secret(own: bytes) -> bytes:
    if len(own) != KEY_BYTES:
        raise InternalError(f"a secret of ours has {KEY_BYTES} bytes, got {len(own)}")
    return own


def _x25519(own: X25519PrivateKey, public: bytes) -> bytes:
    """RFC 7748 §5 would reduce a point ≥ 2**255 − 19; honest keys never are, so it is refused."""
    if len(public) != KEY_BYTES or int.from_bytes(public, "little") >= _FIELD:
        raise PeerError("a public key is not a canonical X25519 point")
    try:
        return own.exchange(X25519PublicKey.from_public_bytes(public))
    except ValueError:  # the all-zero secret, RFC 7748 §6.1
        raise PeerError("a public key is a point of low order") from None


def _keystream(key: bytes) -> CipherContext:
    return Cipher(algorithms.AES(_secret(key)), _FROM_NOUGHT).encryptor()
