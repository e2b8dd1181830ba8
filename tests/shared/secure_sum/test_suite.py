"""Keys, hashes, sealed boxes, signatures and mask streams against their standards."""

import json
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from hypothesis import given
from hypothesis import strategies as st

from shared.errors import InternalError, PeerError
from shared.secure_sum.suite import STANDARD, Suite
from tests.shared.secure_sum.naive_ciphers import naive_add_streams, naive_keystream, naive_seal
from tests.shared.secure_sum.sm_suite import SmSuite

VECTORS = json.loads(Path(__file__).with_name("published_vectors.json").read_text())
KEY, OTHER = bytes(range(32)), bytes(range(32, 64))
SUITES = pytest.mark.parametrize("suite", [STANDARD, SmSuite()], ids=["standard", "sm"])
KEYS = st.lists(st.binary(min_size=32, max_size=32), max_size=4)
FIELD = 2**255 - 19
LOW_ORDER = [  # the canonical points of order 1, 2, 4 and 8 (cr.yp.to/ecdh.html, "validate")
    0,
    1,
    325606250916557431795983626356110631294008115727848805560023387167927233504,
    39382357235489614581723060781553021112529911719440698176882885853963445705823,
    FIELD - 1,
]


def unhex(vector):
    return {name: bytes.fromhex(value) for name, value in vector.items()}


def point(number):
    return number.to_bytes(32, "little")


# Agreement


@pytest.mark.parametrize("vector", VECTORS["rfc7748"]["agree"])
def test_agreement_is_x25519_of_rfc_7748(vector):
    """§5.2; the bit the function must ignore is cleared, as such points are refused."""
    v = unhex(vector)
    masked = v["public"][:-1] + bytes([v["public"][-1] & 0x7F])
    assert STANDARD.agree(v["private"], masked) == v["secret"]


def test_agreement_repeated_a_thousand_times_is_that_of_rfc_7748():
    k = u = point(9)
    for step in range(1, 1001):
        k, u = STANDARD.agree(k, u), k
        if str(step) in VECTORS["rfc7748"]["iterated"]:
            assert k.hex() == VECTORS["rfc7748"]["iterated"][str(step)]


def test_both_sides_of_rfc_7748_reach_the_same_secret():
    """§6.1."""
    alice, bob = unhex(VECTORS["rfc7748"]["alice"]), unhex(VECTORS["rfc7748"]["bob"])
    assert STANDARD.public_key(alice["private"]) == alice["public"]
    assert STANDARD.public_key(bob["private"]) == bob["public"]
    for own, other in ((alice, bob), (bob, alice)):
        secret = STANDARD.agree(own["private"], other["public"])
        assert secret.hex() == VECTORS["rfc7748"]["shared"]


@SUITES
def test_many_agreements_are_the_single_ones_in_order(suite: Suite):
    publics = [suite.public_key(suite.private_key(bytes([i]) * 32)) for i in range(5)]
    assert suite.agree_many(KEY, publics) == [suite.agree(KEY, public) for public in publics]
    assert suite.agree_many(KEY, []) == []


@pytest.mark.parametrize("number", LOW_ORDER)
def test_a_point_of_low_order_is_refused(number):
    with pytest.raises(PeerError, match="low order"):
        STANDARD.agree(KEY, point(number))


@pytest.mark.parametrize(
    "public",
    [b"", bytes(31), bytes(33), point(FIELD), point(FIELD + 9), point(2**255 + 9), b"\xff" * 32],
)
def test_a_malformed_point_is_refused(public):
    with pytest.raises(PeerError, match="canonical"):
        STANDARD.agree(KEY, public)


def test_the_largest_canonical_points_are_accepted():
    """Control of the two refusals above."""
    assert len(STANDARD.agree(KEY, point(FIELD - 2))) == 32


def test_every_public_key_has_a_twin_that_agrees_on_the_same_secret():
    """RFC 7748 §7, here plus the point of order 2: why callers bind names into derived keys."""
    public = STANDARD.public_key(OTHER)
    twin = point(pow(int.from_bytes(public, "little"), -1, FIELD))
    assert twin != public
    assert STANDARD.agree(KEY, twin) == STANDARD.agree(KEY, public)


# Digests and derived keys


def test_the_digest_is_sha_256():
    """FIPS 180-4, "abc"."""
    digest = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    assert STANDARD.digest(b"abc").hex() == digest


def test_derived_keys_are_hkdf_of_rfc_5869():
    """Case 1; a shorter output is the beginning of a longer one (§2.3)."""
    v = unhex(VECTORS["rfc5869_case_1"])
    assert STANDARD.derive(v["secret"], v["salt"], v["info"]) == v["output"][:32]


@SUITES
def test_a_derived_key_depends_on_secret_salt_and_info(suite: Suite):
    inputs = [(KEY, b"s", b"i"), (OTHER, b"s", b"i"), (KEY, b"t", b"i"), (KEY, b"s", b"j")]
    assert len({suite.derive(*one) for one in inputs}) == 4
    assert {len(suite.derive(*one)) for one in inputs} == {32}


# Sealed boxes


def test_the_naive_box_is_that_of_rfc_8439():
    v = unhex(VECTORS["rfc8439_2_8_2"])
    assert naive_seal(v["key"], v["nonce"], v["plaintext"], v["bound_to"]) == v["sealed"]


@given(st.binary(max_size=200), st.binary(max_size=40))
def test_a_sealed_box_is_the_naive_one_with_nonce_zero(plaintext, bound_to):
    sealed = STANDARD.seal(KEY, plaintext, bound_to)
    assert sealed == naive_seal(KEY, bytes(12), plaintext, bound_to)
    assert STANDARD.unseal(KEY, sealed, bound_to) == plaintext


SEALED = STANDARD.seal(KEY, b"shares of slot 0", b"roll")


@given(st.integers(0, 8 * len(SEALED) - 1))
def test_a_box_with_one_changed_bit_does_not_open(bit):
    changed = (int.from_bytes(SEALED, "big") ^ 1 << bit).to_bytes(len(SEALED), "big")
    with pytest.raises(PeerError, match="does not open"):
        STANDARD.unseal(KEY, changed, b"roll")


@pytest.mark.parametrize(
    ("key", "sealed", "bound_to"),
    [
        (OTHER, SEALED, b"roll"),
        (KEY, SEALED, b"another roll"),
        (KEY, SEALED, b""),
        (KEY, SEALED[:-1], b"roll"),
        (KEY, SEALED + b"\0", b"roll"),
        (KEY, SEALED[:15], b"roll"),
        (KEY, b"", b"roll"),
    ],
)
def test_a_box_opens_only_whole_with_its_key_and_binding(key, sealed, bound_to):
    with pytest.raises(PeerError, match="does not open"):
        STANDARD.unseal(key, sealed, bound_to)


# Signatures


def identity_public(private: bytes) -> bytes:
    return Ed25519PrivateKey.from_private_bytes(private).public_key().public_bytes_raw()


@pytest.mark.parametrize("vector", VECTORS["rfc8032"])
def test_signatures_are_ed25519_of_rfc_8032(vector):
    """§7.1, tests 1 to 3."""
    v = unhex(vector)
    assert identity_public(v["private"]) == v["public"]
    assert STANDARD.sign(v["private"], v["message"]) == v["signature"]
    STANDARD.verify(v["public"], v["signature"], v["message"])


PUBLIC, SIGNATURE = identity_public(KEY), STANDARD.sign(KEY, b"alive")


@pytest.mark.parametrize(
    ("public", "signature", "message"),
    [
        (PUBLIC, SIGNATURE, b"dead"),
        (identity_public(OTHER), SIGNATURE, b"alive"),
        (PUBLIC, STANDARD.sign(OTHER, b"alive"), b"alive"),
        (PUBLIC, SIGNATURE[:-1], b"alive"),
        (PUBLIC, b"", b"alive"),
        (PUBLIC[:-1], SIGNATURE, b"alive"),
        (b"", SIGNATURE, b"alive"),
    ],
)
def test_another_signature_key_or_message_is_refused(public, signature, message):
    STANDARD.verify(PUBLIC, SIGNATURE, b"alive")
    with pytest.raises(PeerError, match="signature"):
        STANDARD.verify(public, signature, message)


def test_a_signature_with_its_scalar_raised_by_the_group_order_is_refused():
    """Else there were two signatures of one message (RFC 8032 §8.4)."""
    order = 2**252 + 27742317777372353535851937790883648493
    scalar = int.from_bytes(SIGNATURE[32:], "little") + order
    with pytest.raises(PeerError, match="signature"):
        STANDARD.verify(PUBLIC, SIGNATURE[:32] + point(scalar), b"alive")


# Own bytes of another length are our own fault


@pytest.mark.parametrize("length", [0, 16, 31, 33])
@pytest.mark.parametrize(
    "use",
    [
        STANDARD.private_key,
        STANDARD.public_key,
        lambda own: STANDARD.agree(own, PUBLIC),
        lambda own: STANDARD.sign(own, b""),
        lambda own: STANDARD.seal(own, b"", b""),
        lambda own: STANDARD.unseal(own, SEALED, b"roll"),
        lambda own: STANDARD.add_streams(np.zeros(1, np.uint32), [own], []),
        lambda own: STANDARD.add_streams(np.zeros(1, np.uint32), [], [own]),
    ],
)
def test_a_secret_of_ours_with_another_length_is_an_internal_error(use, length):
    with pytest.raises(InternalError, match="32 bytes"):
        use(bytes(length))


# Mask streams


def test_the_naive_keystream_is_that_of_sp_800_38a():
    """F.5.5, CTR-AES256: the ciphertext is the plaintext under the keystream."""
    v = unhex(VECTORS["sp800_38a_f_5_5"])
    stream = naive_keystream(v["key"], v["counter"], 4)
    masked = bytes(x ^ y for x, y in zip(v["plaintext"], stream, strict=True))
    assert masked == v["ciphertext"]


def test_a_stream_begins_with_the_cipher_of_zeros_in_little_endian_words():
    """AESAVS (2002), KeySbox for 256 bits, first: AES-256 of sixteen zero bytes."""
    v = unhex(VECTORS["aesavs_keysbox_256_0"])
    total = np.zeros(4, np.uint32)
    STANDARD.add_streams(total, [v["key"]], [])
    words = [v["first_block"][at : at + 4] for at in range(0, 16, 4)]
    assert total.tolist() == [int.from_bytes(word, "little") for word in words]


@given(st.lists(st.integers(0, 2**32 - 1), max_size=40), KEYS, KEYS)
def test_streams_are_added_and_subtracted_as_key_by_key(values, added, subtracted):
    total = np.array(values, np.uint32)
    expected = naive_add_streams(total, added, subtracted)
    STANDARD.add_streams(total, added, subtracted)
    np.testing.assert_array_equal(total, expected)


@pytest.mark.parametrize("length", [32767, 32768, 32769, 100_003])
def test_a_stream_goes_on_from_chunk_to_chunk(length):
    """The whole stream at once, around and across the length worked on at once."""
    total = np.zeros(length, np.uint32)
    STANDARD.add_streams(total, [KEY], [])
    encryptor = Cipher(algorithms.AES(KEY), modes.CTR(bytes(16))).encryptor()
    stream = np.frombuffer(encryptor.update(bytes(4 * length)), "<u4")
    np.testing.assert_array_equal(total, stream)


@SUITES
@given(st.integers(0, 50), KEYS)
def test_streams_added_and_subtracted_leave_nothing(suite: Suite, length, keys):
    total = np.arange(length, dtype=np.uint32)
    suite.add_streams(total, keys, [])
    suite.add_streams(total, [], keys)
    np.testing.assert_array_equal(total, np.arange(length))


@SUITES
def test_masks_of_all_pairs_cancel_in_the_total_and_hide_each_vector(suite: Suite):
    length, lenders = 70_000, 4
    total, keys = np.zeros(length, np.uint32), {}
    for low in range(lenders):
        for high in range(low + 1, lenders):
            keys[low, high] = suite.derive(KEY, b"salt", bytes([low, high]))
    for own in range(lenders):
        masked = np.full(length, own, np.uint32)
        added = [key for (low, _), key in keys.items() if low == own]
        suite.add_streams(masked, added, [key for (_, high), key in keys.items() if high == own])
        # Uniform words: the mean of n of them is within 5 σ of the middle, σ = 2**32 / √(12 n).
        assert abs(masked.mean() / 2**32 - 0.5) < 5 / np.sqrt(12 * length)
        total += masked
    np.testing.assert_array_equal(total, np.full(length, 0 + 1 + 2 + 3))


def test_a_total_that_is_no_uint32_vector_is_an_internal_error():
    for total in (np.zeros(4, np.int32), np.zeros(4), np.zeros((2, 2), np.uint32)):
        with pytest.raises(InternalError, match="uint32"):
            STANDARD.add_streams(total, [KEY], [])


def test_streams_are_added_to_every_other_word_of_an_array_as_to_a_vector():
    """No copy is made behind the caller's back, whatever the memory layout."""
    wide, plain = np.zeros(20, np.uint32), np.zeros(10, np.uint32)
    STANDARD.add_streams(wide[::2], [KEY], [])
    STANDARD.add_streams(plain, [KEY], [])
    np.testing.assert_array_equal(wide[::2], plain)
    assert not wide[1::2].any()


# The second suite


def test_the_second_suite_is_sm3_and_sm4():
    """GB/T 32905 A.1 "abc"; GB/T 32907 A.1."""
    v = unhex(VECTORS["sm4"])
    assert SmSuite().digest(b"abc").hex() == VECTORS["sm3_abc"]
    encryptor = Cipher(algorithms.SM4(v["key"]), modes.ECB()).encryptor()
    assert encryptor.update(v["plaintext"]) == v["ciphertext"]
    total = np.zeros(4, np.uint32)
    SmSuite().add_streams(total, [v["key"] + bytes(16)], [])
    encryptor = Cipher(algorithms.SM4(v["key"]), modes.ECB()).encryptor()
    assert total.astype("<u4").tobytes() == encryptor.update(bytes(16))


def test_the_two_suites_differ_in_name_digest_keys_and_streams():
    standard, sm = np.zeros(8, np.uint32), np.zeros(8, np.uint32)
    STANDARD.add_streams(standard, [KEY], [])
    SmSuite().add_streams(sm, [KEY], [])
    assert (standard != sm).any()
    for one, other in pairwise([STANDARD, SmSuite()]):
        assert one.name != other.name
        assert one.digest(b"") != other.digest(b"")
        assert one.derive(KEY, b"", b"") != other.derive(KEY, b"", b"")
