"""Naive twins: ciphers written from their standards, a block at a time, to check the fast ones."""

import struct

import numpy as np
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes


def naive_keystream(key, counter, blocks):
    """AES-256 of the counter blocks, one after another (SP 800-38A §6.5)."""
    encryptor = Cipher(algorithms.AES(key), modes.ECB()).encryptor()
    first = int.from_bytes(counter, "big")
    return b"".join(
        encryptor.update(((first + i) % 2**128).to_bytes(16, "big")) for i in range(blocks)
    )


def naive_add_streams(total, added, subtracted):
    """A new vector, by whole numbers, key by key."""
    result = total.astype(object)
    for sign, keys in ((1, added), (-1, subtracted)):
        for key in keys:
            stream = naive_keystream(key, bytes(16), -(-len(total) // 4))
            words = struct.unpack(f"<{len(stream) // 4}I", stream)[: len(total)]
            result = result + sign * np.array(words, dtype=object)
    return (result % 2**32).astype(np.uint32)


def _quarter(s, a, b, c, d):
    for x, y, z, turn in ((a, b, d, 16), (c, d, b, 12), (a, b, d, 8), (c, d, b, 7)):
        s[x] = (s[x] + s[y]) % 2**32
        mixed = s[z] ^ s[x]
        s[z] = (mixed << turn | mixed >> 32 - turn) % 2**32


def _chacha_block(key, counter, nonce):
    """RFC 8439 §2.3."""
    start = [
        *struct.unpack("<4I", b"expand 32-byte k"),
        *struct.unpack("<8I", key),
        counter,
        *struct.unpack("<3I", nonce),
    ]
    state = list(start)
    for _ in range(10):
        for column in range(4):
            _quarter(state, column, 4 + column, 8 + column, 12 + column)
        for i in range(4):
            _quarter(state, i, 4 + (i + 1) % 4, 8 + (i + 2) % 4, 12 + (i + 3) % 4)
    return struct.pack("<16I", *((x + y) % 2**32 for x, y in zip(state, start, strict=True)))


def _poly1305(key, message):
    """RFC 8439 §2.5."""
    r = int.from_bytes(key[:16], "little") & 0x0FFFFFFC0FFFFFFC0FFFFFFC0FFFFFFF
    value = 0
    for at in range(0, len(message), 16):
        value = (value + int.from_bytes(message[at : at + 16] + b"\1", "little")) * r % (2**130 - 5)
    return ((value + int.from_bytes(key[16:], "little")) % 2**128).to_bytes(16, "little")


def naive_seal(key, nonce, plaintext, bound_to):
    """RFC 8439 §2.8: text, then tag."""
    stream = b"".join(_chacha_block(key, 1 + i, nonce) for i in range(-(-len(plaintext) // 64)))
    text = bytes(x ^ y for x, y in zip(plaintext, stream, strict=False))
    padded = b"".join(part + bytes(-len(part) % 16) for part in (bound_to, text))
    lengths = struct.pack("<2Q", len(bound_to), len(text))
    return text + _poly1305(_chacha_block(key, 0, nonce)[:32], padded + lengths)
