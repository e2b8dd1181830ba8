"""Code for points of ristretto255, eight at a time: from 32 bytes each, added, and back.

Invariants:
- Decoding tells for each lane whether the encoding is valid, as RFC 9496 and libsodium say; the
  numbers in an invalid lane mean nothing. The identity is valid.
- No branch and no address depends on a point.

Source: RFC 9496 section 4.3; Hisil, Wong, Carter, Dawson, ASIACRYPT 2008, section 3.1 (addition).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import llvmlite.ir as ir

from shared.tokens.lanes.field import (
    BITS,
    LANES,
    LIMBS,
    LOW,
    ROOT,
    VECTOR,
    Field,
    Number,
    Value,
    number,
    vector,
)

D = 37095705934669439343138083508754565189542113879843219016388785533085940283555
INVERSE_ROOT_A_MINUS_D = (
    54469307008909316920995813868745141605393597292927456921205312896311721017578
)
"""Both: RFC 9496 section 4.1."""

WORDS = 4
"""64-bit words of an encoding."""


@dataclass(frozen=True)
class Point:
    """Extended coordinates: x = X/Z, y = Y/Z, T = XY/Z."""

    x: Number
    y: Number
    z: Number
    t: Number

    @classmethod
    def of(cls, limbs: Sequence[Value]) -> Point:
        """From what `limbs` gave."""
        return cls(*(limbs[at : at + LIMBS] for at in range(0, 4 * LIMBS, LIMBS)))

    def limbs(self) -> list[Value]:
        """Twenty vectors."""
        return [*self.x, *self.y, *self.z, *self.t]


IDENTITY = Point(number(0), number(1), number(1), number(0))


def decoded(field: Field, words: Sequence[Value]) -> tuple[Value, Point]:
    """Mask of the lanes that are valid, and the points: section 4.3.1."""
    emit, one, s = field.builder, number(1), _limbs(field, words)
    valid = emit.and_(
        field.equal(field.frozen(s), s),  # below p: freezing changes nothing
        emit.icmp_unsigned("==", emit.and_(s[0], vector(1)), vector(0)),
    )
    square = field.squared(s)
    u1, u2 = field.minus(one, square), field.plus(one, square)
    u2_squared = field.squared(u2)
    v = field.minus(field.times(number(-D), field.squared(u1)), u2_squared)
    was_square, inverse = field.inverse_root(field.times(v, u2_squared))
    x_part = field.times(inverse, u2)
    y_part = field.times(field.times(inverse, x_part), v)
    x = field.even(field.times(field.plus(s, s), x_part))
    y = field.times(u1, y_part)
    t = field.times(x, y)
    wrong = emit.or_(field.odd(t), field.equal(field.frozen(y), number(0)))
    valid = emit.and_(valid, emit.and_(was_square, emit.not_(wrong)))
    return valid, Point(x, y, one, t)


def encoded(field: Field, point: Point) -> list[Value]:
    """Four vectors of words: section 4.3.2."""
    x, y, z, t = point.x, point.y, point.z, point.t
    u1 = field.times(field.plus(z, y), field.minus(z, y))
    u2 = field.times(x, y)
    _, inverse = field.inverse_root(field.times(u1, field.squared(u2)))
    d1, d2 = field.times(inverse, u1), field.times(inverse, u2)
    z_inverse = field.times(field.times(d1, d2), t)
    turned_x, turned_y = field.times(y, number(ROOT)), field.times(x, number(ROOT))
    turned_d = field.times(d1, number(INVERSE_ROOT_A_MINUS_D))
    turn = field.odd(field.times(t, z_inverse))
    x, y = field.chosen(turn, turned_x, x), field.chosen(turn, turned_y, y)
    denominator = field.chosen(turn, turned_d, d2)
    y = field.chosen(field.odd(field.times(x, z_inverse)), field.negated(y), y)
    return _words(field, field.even(field.times(denominator, field.minus(z, y))))


def added(field: Field, left: Point, right: Point) -> Point:
    """left + right, for any two points."""
    times, plus, minus = field.times, field.plus, field.minus
    a = times(minus(left.y, left.x), minus(right.y, right.x))
    b = times(plus(left.y, left.x), plus(right.y, right.x))
    c = times(times(left.t, right.t), number(2 * D))
    d = times(left.z, plus(right.z, right.z))
    e, f, g, h = minus(b, a), minus(d, c), plus(d, c), plus(b, a)
    return Point(times(e, f), times(g, h), times(f, g), times(e, h))


def turned(field: Field, minus: Value, point: Point) -> Point:
    """-point where the bit `minus` is set, for all lanes."""
    x = field.chosen(minus, field.negated(point.x), point.x)
    t = field.chosen(minus, field.negated(point.t), point.t)
    return Point(x, point.y, point.z, t)


def loaded(field: Field, address: Value) -> list[Value]:
    """Four vectors of words from eight encodings one after the other."""
    rows = [field.builder.load(place, align=1) for place in _places(field, address)]
    words = []
    for word in range(WORDS):
        lanes = range(word, 2 * LANES, WORDS)
        halves = [_shuffled(field, rows[at : at + 2], lanes) for at in (0, 2)]
        words.append(_shuffled(field, halves, range(LANES)))
    return words


def stored(field: Field, address: Value, words: Sequence[Value]) -> None:
    """The other way round."""
    for pair, place in enumerate(_places(field, address)):
        lanes = [lane + side for lane in (2 * pair, 2 * pair + 1) for side in (0, LANES)]
        halves = [_shuffled(field, words[at : at + 2], lanes) for at in (0, 2)]
        rows = _shuffled(field, halves, [0, 1, 4, 5, 2, 3, 6, 7])
        field.builder.store(rows, place, align=1)


def _limbs(field: Field, words: Sequence[Value]) -> list[Value]:
    """51 bits each; the highest keeps its 52nd bit, which is never set in a canonical encoding."""
    emit, (a, b, c, d) = field.builder, words
    parts = [
        a,
        emit.or_(emit.lshr(a, vector(51)), emit.shl(b, vector(13))),
        emit.or_(emit.lshr(b, vector(38)), emit.shl(c, vector(26))),
        emit.or_(emit.lshr(c, vector(25)), emit.shl(d, vector(39))),
    ]
    return [*(emit.and_(part, vector(LOW)) for part in parts), emit.lshr(d, vector(12))]


def _words(field: Field, x: Number) -> list[Value]:
    emit, (a, b, c, d, e) = field.builder, field.frozen(x)
    return [
        emit.or_(a, emit.shl(b, vector(BITS))),
        emit.or_(emit.lshr(b, vector(13)), emit.shl(c, vector(38))),
        emit.or_(emit.lshr(c, vector(26)), emit.shl(d, vector(25))),
        emit.or_(emit.lshr(d, vector(39)), emit.shl(e, vector(12))),
    ]


def _places(field: Field, address: Value) -> list[Value]:
    """Pointers to four vectors, two encodings each."""
    emit, kind = field.builder, VECTOR.as_pointer()
    steps = [ir.Constant(address.type, 8 * LANES * at) for at in range(WORDS)]
    return [emit.inttoptr(emit.add(address, step), kind) for step in steps]


def _shuffled(field: Field, pair: Sequence[Value], lanes: Sequence[int]) -> Value:
    """The named lanes of two vectors, those of the first counted first."""
    mask = ir.Constant(ir.VectorType(ir.IntType(32), len(lanes)), list(lanes))
    return field.builder.shuffle_vector(*pair, mask)
