"""A second suite, for tests only: SM3 and SM4 in place of SHA-256 and AES, everything else kept.

It shows that the state machines do not care which suite they are given.
"""

import numpy as np
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from shared.secure_sum.suite import StandardSuite


class SmSuite(StandardSuite):
    """SM3 (GB/T 32905) digests and HKDF, SM4-CTR (GB/T 32907) streams of half a key each."""

    name = "x25519-ed25519-sm3-chacha20poly1305-sm4ctr/test"

    def digest(self, message):
        running = hashes.Hash(hashes.SM3())
        running.update(bytes(message))
        return running.finalize()

    def derive(self, secret, salt, info):
        return HKDF(hashes.SM3(), 32, salt, info).derive(secret)

    def add_streams(self, total, added, subtracted):
        for operation, keys in ((np.add, added), (np.subtract, subtracted)):
            for key in keys:
                encryptor = Cipher(algorithms.SM4(key[:16]), modes.CTR(bytes(16))).encryptor()
                stream = encryptor.update(bytes(4 * len(total)))
                operation(total, np.frombuffer(stream, "<u4"), out=total)
