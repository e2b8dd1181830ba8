"""Code for numbers modulo p = 2^255 - 19, eight at a time.

A number is five limbs of 51 bits; a limb of eight numbers is one vector of 64-bit words. Methods of
`Field` emit instructions; nothing is computed here.

Invariants:
- Limbs that a method takes or gives are below 2^52, the width of the multiplier (AVX512-IFMA). What
  comes out of a method is below 2^51 + 2^14, whatever below 2^52 went in.
- No branch and no address depends on a number; loops run a fixed number of times.

Sources: RFC 9496 section 4.2 (the root); curve25519 "ref10" (its chain of powers).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

import llvmlite.ir as ir

P = 2**255 - 19
LANES, LIMBS, BITS = 8, 5, 51
LOW = 2**BITS - 1
FOLD = 19
"""2^255 modulo p: what leaves at the top comes back at the bottom times this."""
ROOT = 19681161376707505956807079304988542015446066515923890162744021073123829784752
"""Of minus one (RFC 9496 section 4.1)."""

INDEX = ir.IntType(64)
VECTOR = ir.VectorType(INDEX, LANES)
MASK = ir.VectorType(ir.IntType(1), LANES)

Value: TypeAlias = Any
"""ir.Value; llvmlite has no types."""
Number = Sequence[Value]
"""Five vectors, lowest limb first."""


def vector(word: int) -> Value:
    """The same word in all lanes."""
    return ir.Constant(VECTOR, [word] * LANES)


def number(value: int) -> list[Value]:
    """The same number in all lanes."""
    return [vector(value % P >> BITS * place & LOW) for place in range(LIMBS)]


_FOUR_P = [4 * (2**BITS - 19)] + [4 * LOW] * 4
"""Limbs of 4 p, each above any limb that is taken from it."""


class Field:
    """Emits arithmetic where `builder` stands."""

    def __init__(self, builder: ir.IRBuilder) -> None:
        self.builder = builder

    def plus(self, x: Number, y: Number) -> list[Value]:
        """x + y."""
        return self._carried([self.builder.add(a, b) for a, b in zip(x, y, strict=True)])

    def minus(self, x: Number, y: Number) -> list[Value]:
        """x - y, as x + 4 p - y."""
        emit, parts = self.builder, zip(x, y, _FOUR_P, strict=True)
        return self._carried([emit.sub(emit.add(a, vector(top)), b) for a, b, top in parts])

    def negated(self, x: Number) -> list[Value]:
        """-x."""
        return self.minus(number(0), x)

    def times(self, x: Number, y: Number) -> list[Value]:
        """x y."""
        return self._called("times", [*x, *y], lambda inner, limbs: inner._times(*_halves(limbs)))

    def squared(self, x: Number, count: int = 1) -> list[Value]:
        """x to the power 2^count, count at least 1."""
        many = ir.Constant(INDEX, count)

        def body(inner: Field, given: Sequence[Value]) -> list[Value]:
            return inner.repeated(given[-1], given[:-1], lambda _, y: inner._squared(y))

        return self._called("squared", [*x, many], body)

    def frozen(self, x: Number) -> list[Value]:
        """x between 0 and p - 1, limbs below 2^51."""
        return self._called("frozen", x, Field._frozen)

    def equal(self, frozen: Number, other: Number) -> Value:
        """Mask of the lanes where all limbs are the same; for numbers: both frozen."""
        emit, difference = self.builder, vector(0)
        for a, b in zip(frozen, other, strict=True):
            difference = emit.or_(difference, emit.xor(a, b))
        return emit.icmp_unsigned("==", difference, vector(0))

    def odd(self, x: Number) -> Value:
        """Mask of the lanes where x is negative, in the words of RFC 9496."""
        emit = self.builder
        return emit.icmp_unsigned("!=", emit.and_(self.frozen(x)[0], vector(1)), vector(0))

    def chosen(self, mask: Value, x: Number, y: Number) -> list[Value]:
        """x where the mask is set, else y."""
        return [self.builder.select(mask, a, b) for a, b in zip(x, y, strict=True)]

    def even(self, x: Number) -> list[Value]:
        """x or -x, whichever is not negative."""
        return self.chosen(self.odd(x), self.negated(x), x)

    def inverse_root(self, x: Number) -> tuple[Value, list[Value]]:
        """SQRT_RATIO_M1(1, x): mask of the lanes where x is a square other than 0; the root of 1/x
        (elsewhere of i/x; of 0: 0), not negative.
        """
        mask, *root = self._called(
            "inverse_root", x, Field._inverse_root, [MASK] + [VECTOR] * LIMBS
        )
        return mask, root

    def repeated(
        self,
        count: Value,
        state: Sequence[Value],
        body: Callable[[Value, list[Value]], Sequence[Value]],
    ) -> list[Value]:
        """body(round, state) as the next state, `count` times, at least once."""
        emit, before = self.builder, self.builder.block
        loop, after = emit.append_basic_block("loop"), emit.append_basic_block("after")
        emit.branch(loop)
        emit.position_at_end(loop)
        at, *carried = (emit.phi(value.type) for value in [ir.Constant(INDEX, 0), *state])
        results = list(body(at, carried))
        following = emit.add(at, ir.Constant(INDEX, 1))
        first, last = [ir.Constant(INDEX, 0), *state], [following, *results]
        for phi, start, end in zip([at, *carried], first, last, strict=True):
            phi.add_incoming(start, before)
            phi.add_incoming(end, emit.block)
        emit.cbranch(emit.icmp_unsigned("<", following, count), loop, after)
        emit.position_at_end(after)
        return results

    def _called(
        self,
        name: str,
        given: Sequence[Value],
        body: Callable[[Field, Sequence[Value]], Sequence[Value]],
        returned: Sequence[ir.Type] = (VECTOR,) * LIMBS,
    ) -> list[Value]:
        """A call of the routine `name`, which is emitted once: inlined everywhere, the code takes
        ten times as long to compile and runs no faster.
        """
        routine = self.builder.module.globals.get(name)
        if routine is None:
            result = ir.LiteralStructType(returned)
            types = [value.type for value in given]
            routine = ir.Function(self.builder.module, ir.FunctionType(result, types), name)
            routine.linkage = "internal"
            routine.attributes.add("noinline")
            inner = Field(ir.IRBuilder(routine.append_basic_block()))
            packed = ir.Constant(result, ir.Undefined)
            for place, value in enumerate(body(inner, routine.args)):
                packed = inner.builder.insert_value(packed, value, place)
            inner.builder.ret(packed)
        call = self.builder.call(routine, given)
        return [self.builder.extract_value(call, place) for place in range(len(returned))]

    def _times(self, x: Number, y: Number) -> list[Value]:
        low, high = _columns(), _columns()
        for i, a in enumerate(x):
            for j, b in enumerate(y):
                low[i + j] = self._multiplied("l", low[i + j], a, b)
                high[i + j] = self._multiplied("h", high[i + j], a, b)
        return self._folded(low, high)

    def _squared(self, x: Number) -> list[Value]:
        low, high = _columns(), _columns()
        for i in range(LIMBS):
            for j in range(i + 1, LIMBS):
                low[i + j] = self._multiplied("l", low[i + j], x[i], x[j])
                high[i + j] = self._multiplied("h", high[i + j], x[i], x[j])
        low, high = ([self._doubled(word) for word in words] for words in (low, high))
        for i, a in enumerate(x):
            low[2 * i] = self._multiplied("l", low[2 * i], a, a)
            high[2 * i] = self._multiplied("h", high[2 * i], a, a)
        return self._folded(low, high)

    def _multiplied(self, half: str, onto: Value, a: Value, b: Value) -> Value:
        """onto + the low or high 52 bits of a b."""
        name = f"llvm.x86.avx512.vpmadd52{half}.uq.512"
        function = self.builder.module.globals.get(name)
        if function is None:
            kind = ir.FunctionType(VECTOR, [VECTOR] * 3)
            function = ir.Function(self.builder.module, kind, name)
        return self.builder.call(function, [onto, a, b])

    def _folded(self, low: Number, high: Number) -> list[Value]:
        """From nine columns, low halves and high halves, to five limbs.

        A column is a sum of five halves at most. A high half is worth 2^52, twice the next column.
        So a word is below (5 + 10) 2^52 before and 20 times that after folding: below 2^61.
        """
        emit = self.builder
        words = [low[0]]
        words += [emit.add(a, self._doubled(b)) for a, b in zip(low[1:], high[:-1], strict=True)]
        words += [self._doubled(high[-1])]
        pairs = zip(words[:LIMBS], words[LIMBS:], strict=True)
        return self._carried([emit.add(a, emit.mul(b, vector(FOLD))) for a, b in pairs])

    def _carried(self, x: Number) -> list[Value]:
        """The same number with limbs below 2^51 + 2^14, from words below 2^61."""
        emit = self.builder
        over = [emit.lshr(word, vector(BITS)) for word in x]
        kept = [emit.and_(word, vector(LOW)) for word in x]
        into = [emit.mul(over[-1], vector(FOLD)), *over[:-1]]
        return [emit.add(a, b) for a, b in zip(kept, into, strict=True)]

    def _doubled(self, word: Value) -> Value:
        return self.builder.shl(word, vector(1))

    def _frozen(self, x: Number) -> list[Value]:
        emit, x = self.builder, self._carried(x)  # below 2 p, so p is taken away once or never
        over = vector(FOLD)
        for limb in x:  # 1 where x + 19 reaches 2^255, that is, x reaches p
            over = emit.lshr(emit.add(limb, over), vector(BITS))
        carry, limbs = emit.mul(over, vector(FOLD)), []
        for limb in x:
            word = emit.add(limb, carry)
            limbs.append(emit.and_(word, vector(LOW)))
            carry = emit.lshr(word, vector(BITS))
        return limbs

    def _inverse_root(self, x: Number) -> list[Value]:
        """RFC 9496 section 4.2 with u = 1."""
        cube = self.times(self.squared(x), x)
        root = self.times(cube, self._power(self.times(self.squared(cube), x)))
        check = self.frozen(self.times(x, self.squared(root)))
        correct, flipped, flipped_by_root = (
            self.equal(check, number(value)) for value in (1, -1, -ROOT)
        )
        turn, square = (self.builder.or_(flipped, m) for m in (flipped_by_root, correct))
        root = self.chosen(turn, self.times(root, number(ROOT)), root)
        return [square, *self.even(root)]

    def _power(self, x: Number) -> list[Value]:
        """x to the power (p - 5) / 8 = 2^252 - 3; `ones[n]` is x to the power 2^n - 1."""
        times, squared = self.times, self.squared
        ones = {1: x, 2: times(squared(x), x)}
        ones[4] = times(squared(ones[2], 2), ones[2])
        ones[5] = times(squared(ones[4]), x)
        for half in (5, 10, 20):
            ones[2 * half] = times(squared(ones[half], half), ones[half])
        ones[50] = times(squared(ones[40], 10), ones[10])
        ones[100] = times(squared(ones[50], 50), ones[50])
        ones[200] = times(squared(ones[100], 100), ones[100])
        ones[250] = times(squared(ones[200], 50), ones[50])
        return times(squared(ones[250], 2), x)


def _columns() -> list[Value]:
    return [vector(0)] * (2 * LIMBS - 1)


def _halves(limbs: Sequence[Value]) -> tuple[Number, Number]:
    return limbs[:LIMBS], limbs[LIMBS:]
