"""One compiled function: sums of points, eight rows at a time, from bytes to bytes.

    out[row] = ± column_1[row] ± column_2[row] …            and: is every row of every column valid?

One function is enough: to add up a column, each block of eight of its rows is a column of its own.

Invariants:
- The only branches are the ends of loops whose rounds depend on numbers of rows and columns.
- The code is made for the processor it runs on, in memory; nothing is written or kept elsewhere.
"""

from __future__ import annotations

import mmap
from ctypes import CDLL, CFUNCTYPE, addressof, c_char, c_int64, c_size_t, c_void_p
from typing import Any

import llvmlite.binding as llvm
import llvmlite.ir as ir
import numpy as np
from numpy.typing import NDArray

from shared.tokens.group import WIDTH
from shared.tokens.lanes.field import INDEX, LANES, MASK, Field, Value
from shared.tokens.lanes.points import (
    IDENTITY,
    Point,
    added,
    decoded,
    encoded,
    loaded,
    stored,
    turned,
)

BLOCK = LANES * WIDTH
"""Bytes of eight rows."""
Words = NDArray[np.uint64]
_NEEDED = ("avx512f", "avx512ifma")


class Kernel:
    """The compiled function; only where `runs_here()`."""

    def __init__(self) -> None:
        self._code = engine_of(module_of_sums())  # the function is in its memory
        # ctypes lets go of the interpreter during a call
        function = CFUNCTYPE(c_int64, *[c_void_p] * 3, c_int64, c_void_p, c_int64)
        self._sums = function(self._code.get_function_address("sums"))

    def __call__(self, starts: Words, steps: Words, minus: Words, out: int, blocks: int) -> bool:
        """Write `blocks` blocks of eight sums, at least one, at the address `out`; whether every
        row was valid. For each column, at least one: the address of its first block, the bytes to
        its next one (0: the same goes with all blocks) and 1 where it is taken away, else 0.
        """
        arrays = (array.ctypes.data for array in (starts, steps, minus))
        return bool(self._sums(*arrays, len(starts), out, blocks))


def runs_here() -> bool:
    """Whether the processor has the instructions, and the system lets a process make code."""
    features = llvm.get_host_cpu_features()
    return all(features.get(name, False) for name in _NEEDED) and _may_make_code()


def _may_make_code() -> bool:
    """Hardened services may not (systemd's MemoryDenyWriteExecute); LLVM would not notice, and the
    process would die at the first call.
    """
    try:
        with mmap.mmap(-1, mmap.PAGESIZE) as page:
            address = addressof(c_char.from_buffer(page))
            protect = CDLL(None).mprotect
            protect.argtypes = [c_void_p, c_size_t, c_int64]
            refused: int = protect(address, mmap.PAGESIZE, mmap.PROT_READ | mmap.PROT_EXEC)
        return refused == 0
    except (AttributeError, OSError, TypeError):  # no POSIX system
        return False


def module_of_sums() -> ir.Module:
    """sums(starts, steps, minus, columns, out, blocks) -> 1 where all rows are valid, else 0."""
    module, words = ir.Module("ristretto255"), INDEX.as_pointer()
    kind = ir.FunctionType(INDEX, [words, words, words, INDEX, INDEX, INDEX])
    function = ir.Function(module, kind, "sums")
    field = Field(ir.IRBuilder(function.append_basic_block()))
    starts, steps, minus, columns, out, blocks = function.args
    emit = field.builder

    def block(at: Value, valid: list[Value]) -> list[Value]:
        def column(number: Value, state: list[Value]) -> list[Value]:
            start, step, sign = (
                emit.load(emit.gep(array, [number])) for array in (starts, steps, minus)
            )
            words = loaded(field, emit.add(start, emit.mul(at, step)))
            valid, point = decoded(field, words)
            point = turned(field, emit.trunc(sign, ir.IntType(1)), point)
            sums = added(field, Point.of(state[1:]), point)
            return [emit.and_(state[0], valid), *sums.limbs()]

        valid, *sums = field.repeated(columns, [*valid, *IDENTITY.limbs()], column)
        address = emit.add(out, emit.mul(at, ir.Constant(INDEX, BLOCK)))
        stored(field, address, encoded(field, Point.of(sums)))
        return [valid]

    (valid,) = field.repeated(blocks, [ir.Constant(MASK, [1] * LANES)], block)
    lanes = emit.bitcast(valid, ir.IntType(LANES))
    verdict = emit.icmp_unsigned("==", lanes, ir.Constant(lanes.type, 2**LANES - 1))
    emit.ret(emit.zext(verdict, INDEX))
    return module


def engine_of(module: ir.Module) -> Any:
    """Engine with the module's functions, which live as long as it does."""
    parsed, machine = optimised(module)
    engine = llvm.create_mcjit_compiler(parsed, machine)
    engine.finalize_object()
    return engine


def optimised(module: ir.Module) -> tuple[Any, Any]:
    """The module as LLVM has it, and the machine it is for."""
    llvm.initialize_native_target()
    llvm.initialize_native_asmprinter()
    parsed = llvm.parse_assembly(str(module))
    parsed.verify()
    machine = llvm.Target.from_default_triple().create_target_machine(
        cpu=llvm.get_host_cpu_name(), features=llvm.get_host_cpu_features().flatten(), opt=2
    )
    options = llvm.create_pipeline_tuning_options(speed_level=2)
    llvm.create_pass_builder(machine, options).getModulePassManager().run(
        parsed, llvm.create_pass_builder(machine, options)
    )
    return parsed, machine
