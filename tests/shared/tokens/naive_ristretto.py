"""ristretto255 in slow plain Python, straight from RFC 9496: the oracle for the fast group."""

from __future__ import annotations

import numpy as np

from shared.tokens.group import InvalidPointError

P = 2**255 - 19
D = -121665 * pow(121666, -1, P) % P
ROOT = pow(2, (P - 1) // 4, P)  # of minus one
ONE_MINUS_D_SQUARED = (1 - D * D) % P
D_MINUS_ONE_SQUARED = (D - 1) ** 2 % P

Point = tuple[int, int, int, int]
IDENTITY: Point = (0, 1, 1, 0)


def _even(number: int) -> int:
    return P - number if number % 2 else number


def _root_of_ratio(above: int, below: int) -> tuple[bool, int]:
    """SQRT_RATIO_M1, RFC 9496 section 4.2."""
    root = above * pow(below, 3, P) * pow(above * pow(below, 7, P), (P - 5) // 8, P) % P
    check = below * root * root % P
    correct, flipped = check == above % P, check == -above % P
    flipped_by_root = check == -above * ROOT % P
    if flipped or flipped_by_root:
        root = root * ROOT % P
    return correct or flipped, _even(root)


INVERSE_ROOT_A_MINUS_D = _root_of_ratio(1, (-1 - D) % P)[1]
ROOT_AD_MINUS_ONE = _root_of_ratio((-D - 1) % P, 1)[1]
if (
    ROOT_AD_MINUS_ONE
    != 25063068953384623474111414158702152701244531502492656460079210482610430750235
):
    ROOT_AD_MINUS_ONE = P - ROOT_AD_MINUS_ONE


def decode(text: bytes) -> Point:
    """RFC 9496 section 4.3.1; InvalidPointError."""
    s = int.from_bytes(text, "little")
    if s >= P or s % 2:
        raise InvalidPointError
    u1, u2 = (1 - s * s) % P, (1 + s * s) % P
    v = (-D * u1 * u1 - u2 * u2) % P
    square, inverse = _root_of_ratio(1, v * u2 * u2 % P)
    x_part = inverse * u2 % P
    y_part = inverse * x_part * v % P
    x = _even(2 * s * x_part % P)
    y = u1 * y_part % P
    if not square or x * y % P % 2 or y == 0:
        raise InvalidPointError
    return x, y, 1, x * y % P


def encode(point: Point) -> bytes:
    """RFC 9496 section 4.3.2."""
    x, y, z, t = point
    u1, u2 = (z + y) * (z - y) % P, x * y % P
    inverse = _root_of_ratio(1, u1 * u2 * u2 % P)[1]
    d1, d2 = inverse * u1 % P, inverse * u2 % P
    z_inverse = d1 * d2 * t % P
    if t * z_inverse % P % 2:
        x, y, denominator = y * ROOT % P, x * ROOT % P, d1 * INVERSE_ROOT_A_MINUS_D % P
    else:
        denominator = d2
    if x * z_inverse % P % 2:
        y = -y
    return _even(denominator * (z - y) % P).to_bytes(32, "little")


def add(left: Point, right: Point) -> Point:
    """Unified addition on the twisted Edwards curve with a = -1."""
    (x1, y1, z1, t1), (x2, y2, z2, t2) = left, right
    a, b = (y1 - x1) * (y2 - x2) % P, (y1 + x1) * (y2 + x2) % P
    c, d = 2 * t1 * t2 * D % P, 2 * z1 * z2 % P
    e, f, g, h = b - a, d - c, d + c, b + a
    return e * f % P, g * h % P, f * g % P, e * h % P


def negate(point: Point) -> Point:
    x, y, z, t = point
    return -x % P, y, z, -t % P


def multiply(point: Point, number: int) -> Point:
    product = IDENTITY
    while number:
        if number & 1:
            product = add(product, point)
        point, number = add(point, point), number >> 1
    return product


def base() -> Point:
    y = 4 * pow(5, -1, P) % P
    x = _root_of_ratio((y * y - 1) % P, (D * y * y + 1) % P)[1]
    return x, y, 1, x * y % P


def _map(text: bytes) -> Point:
    """MAP, RFC 9496 section 4.3.4."""
    t = int.from_bytes(text, "little") % 2**255 % P
    r = ROOT * t * t % P
    u = (r + 1) * ONE_MINUS_D_SQUARED % P
    v = (-1 - r * D) * (r + D) % P
    square, s = _root_of_ratio(u, v)
    s, c = (s, -1 % P) if square else (-_even(s * t % P) % P, r)
    n = (c * (r - 1) * D_MINUS_ONE_SQUARED - v) % P
    w0, w1 = 2 * s * v % P, n * ROOT_AD_MINUS_ONE % P
    w2, w3 = (1 - s * s) % P, (1 + s * s) % P
    return w0 * w3 % P, w2 * w1 % P, w1 * w3 % P, w0 * w2 % P


def from_uniform(text: bytes) -> Point:
    return add(_map(text[:32]), _map(text[32:]))


def row(point: Point) -> np.ndarray:
    """(1, 32)."""
    return np.frombuffer(encode(point), np.uint8).reshape(1, 32)
