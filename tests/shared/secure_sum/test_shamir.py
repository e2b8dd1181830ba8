"""Shamir's shares against Lagrange's formula over all points."""

import os
from itertools import combinations
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.errors import InternalError, PeerError
from shared.secure_sum.shamir import PRIME, SHARE_BYTES, Combiner, split

SECRETS = st.one_of(st.binary(min_size=32, max_size=32), st.sampled_from([bytes(32), b"\xff" * 32]))


def lagrange(points, x):
    """The polynomial through (x_i, y_i) for all i, at x: the textbook formula, nothing clever."""
    total = 0
    for xi, yi in points:
        term = yi
        for xj, _ in points:
            if xj != xi:
                term = term * (x - xj) * pow(xi - xj, PRIME - 2, PRIME) % PRIME
        total += term
    return total % PRIME


def points(shares):
    return [(i + 1, int.from_bytes(share, "big")) for i, share in enumerate(shares)]


def element(number):
    return number.to_bytes(SHARE_BYTES, "big")


@st.composite
def sharings(draw):
    """(secret, threshold, shares), 2 to 12 holders."""
    holders = draw(st.integers(2, 12))
    threshold = draw(st.integers(2, holders))
    secret, seed = draw(SECRETS), draw(st.integers(0, 2**32))
    return secret, threshold, split(secret, threshold, holders, Random(seed).randbytes)


def is_prime(number, rounds=40):
    """Miller and Rabin, with fixed witnesses."""
    odd, twos = number - 1, 0
    while odd % 2 == 0:
        odd, twos = odd // 2, twos + 1
    for witness in range(2, 2 + rounds):
        value = pow(witness, odd, number)
        if value in (1, number - 1):
            continue
        if not any((value := value * value % number) == number - 1 for _ in range(twos - 1)):
            return False
    return True


def test_the_field_is_of_prime_order_and_the_smallest_that_holds_32_bytes():
    assert is_prime(PRIME)
    assert not any(is_prime(number) for number in range(2**256 + 1, PRIME, 2))
    assert PRIME.bit_length() <= 8 * SHARE_BYTES


@given(sharings(), st.data())
def test_any_threshold_of_shares_gives_the_secret(sharing, data):
    secret, threshold, shares = sharing
    positions = data.draw(st.permutations(range(len(shares))))
    some = positions[: data.draw(st.integers(threshold, len(shares)))]
    assert Combiner(some).secret([shares[i] for i in some]) == secret


def test_every_choice_of_four_of_seven_gives_the_secret():
    secret = os.urandom(32)
    shares = split(secret, 4, 7, os.urandom)
    for some in combinations(range(7), 4):
        assert Combiner(some).secret([shares[i] for i in some]) == secret


@given(sharings())
def test_shares_are_one_polynomial_of_the_degree_asked_with_the_secret_at_nought(sharing):
    secret, threshold, shares = sharing
    known = points(shares)
    assert lagrange(known[:threshold], 0) == int.from_bytes(secret, "big")
    for x, y in known[threshold:]:
        assert lagrange(known[:threshold], x) == y


@pytest.mark.parametrize(("threshold", "holders"), [(32, 40), (33, 40), (65, 70), (334, 500)])
def test_shares_are_right_where_lazy_reduction_passes_from_block_to_block(threshold, holders):
    """Against Horner's rule reduced at every step, from the same randomness."""
    secret, random = os.urandom(32), os.urandom(48 * (threshold - 1))
    shares = split(secret, threshold, holders, lambda count: random)
    falling = [int.from_bytes(random[at : at + 48], "big") for at in range(0, len(random), 48)]
    for i in (0, 1, holders - 1):
        value = 0
        for coefficient in [*falling, int.from_bytes(secret, "big")]:
            value = (value * (i + 1) + coefficient) % PRIME
        assert shares[i] == element(value)
    last = range(holders - threshold, holders)
    assert Combiner(last).secret([shares[i] for i in last]) == secret


@given(sharings(), SECRETS)
def test_one_share_too_few_fits_every_secret_equally(sharing, other):
    """For any other secret there is exactly one polynomial through it and the t − 1 shares."""
    _, threshold, shares = sharing
    held = points(shares)[: threshold - 1]
    completing = [(0, int.from_bytes(other, "big")), *held]
    missing = element(lagrange(completing, threshold))
    combiner = Combiner(range(threshold))
    assert combiner.secret([*shares[: threshold - 1], missing]) == other


def test_one_share_too_few_does_not_give_the_secret():
    secret = os.urandom(32)
    shares = split(secret, 4, 6, os.urandom)
    try:
        found = Combiner([0, 1, 2]).secret(shares[:3])
    except PeerError:
        found = b""
    assert found != secret


def test_a_single_share_of_a_known_secret_looks_uniform():
    """Top bytes of 4096 shares of the zero secret: χ² over 16 classes, 15 degrees of freedom."""
    counts = [0] * 16
    for _ in range(4096):
        counts[int.from_bytes(split(bytes(32), 2, 2, os.urandom)[0], "big") * 16 // PRIME] += 1
    assert sum((count - 256) ** 2 / 256 for count in counts) < 60  # p < 3e-7


@given(sharings(), st.integers(1, PRIME - 1), st.data())
def test_a_changed_share_gives_another_secret_or_an_error(sharing, shift, data):
    secret, threshold, shares = sharing
    changed = data.draw(st.integers(0, threshold - 1))
    wrong = element((int.from_bytes(shares[changed], "big") + shift) % PRIME)
    used = [*shares[:changed], wrong, *shares[changed + 1 : threshold]]
    try:
        found = Combiner(range(threshold)).secret(used)
    except PeerError:
        found = b""
    assert found != secret


def test_a_result_that_is_no_32_bytes_is_refused():
    """2**256 − 1 is the last secret; the 297 elements above it are none."""
    combiner = Combiner([0, 1])
    assert combiner.secret([element(2**256 - 1)] * 2) == b"\xff" * 32
    for value in (2**256, PRIME - 1):
        with pytest.raises(PeerError, match="do not belong together"):
            combiner.secret([element(value)] * 2)


@pytest.mark.parametrize(
    "share", [b"", bytes(32), bytes(34), element(PRIME), b"\xff" * SHARE_BYTES]
)
def test_a_share_that_is_no_element_of_the_field_is_refused(share):
    with pytest.raises(PeerError, match="element of the field"):
        Combiner([0, 1]).secret([element(1), share])


def test_two_sharings_of_one_secret_have_no_share_in_common():
    first, second = (split(bytes(32), 3, 5, os.urandom) for _ in range(2))
    assert not set(first) & set(second)


@pytest.mark.parametrize(
    ("length", "threshold", "holders"),
    [(31, 2, 3), (33, 2, 3), (32, 1, 3), (32, 0, 3), (32, 4, 3), (32, 2, 2**20 + 1), (32, -1, -1)],
)
def test_a_sharing_that_makes_no_sense_is_an_internal_error(length, threshold, holders):
    with pytest.raises(InternalError, match="cannot split"):
        split(bytes(length), threshold, holders, os.urandom)


@pytest.mark.parametrize("given_bytes", [0, 47, 97])
def test_randomness_of_another_length_is_an_internal_error(given_bytes):
    """A source that runs dry must not make weak coefficients."""
    with pytest.raises(InternalError, match="randomness"):
        split(bytes(32), 3, 3, lambda count: bytes(given_bytes))


@pytest.mark.parametrize("positions", [[], [0, 0], [1, 2, 1], [-1, 0]])
def test_positions_must_be_distinct_and_from_nought(positions):
    with pytest.raises(InternalError, match="distinct"):
        Combiner(positions)


def test_another_number_of_shares_than_positions_is_an_internal_error():
    for count in (0, 1, 3):
        with pytest.raises(InternalError, match="expected 2 shares"):
            Combiner([0, 1]).secret([element(1)] * count)


def test_no_message_holds_a_share_or_a_secret():
    secret, share = b"\xab" * 32, b"\xcd" * 34
    for use in (
        lambda: split(secret + b"\xab", 2, 3, os.urandom),
        lambda: Combiner([0, 1]).secret([share, share]),
    ):
        with pytest.raises((PeerError, InternalError)) as raised:
            use()
        assert "abab" not in str(raised.value)
        assert "cdcd" not in str(raised.value)
        assert str(int.from_bytes(share, "big")) not in str(raised.value)
