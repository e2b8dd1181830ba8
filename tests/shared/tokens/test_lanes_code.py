"""When additions are compiled, what is compiled, and that nothing depends on it."""

from __future__ import annotations

import re
import subprocess
import sys
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from lanes_here import SODIUM, lanes_of, lanes_or_skip, pool

from shared.tokens.fastest import fastest_group
from shared.tokens.group import InvalidPointError
from shared.tokens.lanes import group as module
from shared.tokens.lanes.group import PAYS, Lanes
from shared.tokens.sodium import Sodium

ROOT = Path(__file__).resolve().parents[3]


def _run(code: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-W", "error", "-c", code]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)


def test_compiled_when_it_pays(monkeypatch: pytest.MonkeyPatch) -> None:
    """Not before libsodium has taken as many square roots: three an addition, one a check."""
    asked = []
    monkeypatch.setattr(module, "compiled", cache(lambda: asked.append(1)))
    group, points = Lanes(pays=100), pool()[1:11]
    group.check(points)  # 10
    group.add(points, points)  # 40
    group.total(points)  # 70
    group.subtract(points[:9], points[:1])  # 97
    assert not asked
    group.multiply_base(np.eye(1, 32, dtype=np.uint8))
    group.check(points[:2])
    assert not asked
    group.add_all([points[:1]] * 2)
    assert asked


def test_code_that_is_there_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    """Once any group of the process has compiled, the others have it too."""
    used = []

    def kernel(*_: object) -> bool:
        used.append(1)
        return True

    lanes_of(kernel, monkeypatch)
    Lanes(pays=PAYS).add(pool(), pool())
    assert used


def test_a_lookup_does_not_load_the_compiler() -> None:
    """One lookup, from both sides, leaves llvmlite alone."""
    done = _run(
        "import sys; sys.path += ['tests/shared/tokens']; import threshold\n"
        "from shared.tokens.fastest import fastest_group; threshold.GROUP = fastest_group()\n"
        "parties, inputs = threshold.holders(2, 3), threshold.inputs_of(1)\n"
        "own = threshold.blinded(parties, inputs); request = own.request((1, 2))\n"
        "threshold.finished(parties, own, request, parties.answers(request), inputs)\n"
        "print('llvmlite' in sys.modules)"
    )
    assert (done.stdout, done.stderr) == ("False\n", "")


def test_without_llvmlite(monkeypatch: pytest.MonkeyPatch) -> None:
    """libsodium alone does everything."""
    monkeypatch.setitem(sys.modules, "llvmlite", None)
    assert isinstance(fastest_group(), Sodium)
    monkeypatch.setitem(sys.modules, "shared.tokens.lanes.kernel", None)
    assert module.compiled.__wrapped__() is None


def test_without_the_instructions(monkeypatch: pytest.MonkeyPatch) -> None:
    """On another processor nothing is compiled, and the points are the same."""
    group = lanes_of(None, monkeypatch)
    assert (group.add(pool(), pool()) == SODIUM.add(pool(), pool())).all()
    with pytest.raises(InvalidPointError):
        group.check(pool())  # the identity
    monkeypatch.undo()
    llvm = pytest.importorskip("llvmlite.binding")
    monkeypatch.setattr(llvm, "get_host_cpu_features", dict)
    assert module.compiled.__wrapped__() is None


@pytest.mark.parametrize("broken", ["wrong", "refused"])
def test_code_that_does_not_work(broken: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Wrong points and errors of the compiler are seen before use: a warning, and libsodium."""
    lanes_or_skip()
    from shared.tokens.lanes import kernel

    def failing() -> object:
        if broken == "refused":
            raise RuntimeError("LLVM ERROR /private/place")
        return lambda *_: True

    monkeypatch.setattr(kernel, "Kernel", failing)
    with pytest.warns(RuntimeWarning, match="llvmlite") as warned:
        assert module.compiled.__wrapped__() is None
    assert "private" not in str(warned[0].message)


HARDENED = """
from ctypes import CDLL
print(CDLL(None).prctl(65, 1, 0, 0, 0))  # PR_SET_MDWE: no memory becomes code, Linux 6.3
from shared.tokens.lanes import group, kernel
{before}
points = group.Lanes(pays=0).add(*[group.Sodium().multiply_base(group.scalars_of([1]))] * 2)
print(points.tobytes().hex()[:8], group.compiled())
"""


def test_a_hardened_service() -> None:
    """Where the system forbids new code (MemoryDenyWriteExecute), libsodium adds; positive control:
    without asking first, the process dies.
    """
    lanes_or_skip()
    done = _run(HARDENED.format(before=""))
    if not done.stdout.startswith("0\n"):
        pytest.skip("this system cannot forbid it")
    assert (done.returncode, done.stdout) == (0, "0\n6a493210 None\n")
    assert _run(HARDENED.format(before="kernel._may_make_code = lambda: True")).returncode < 0


LEAVES_VECTORS = re.compile(
    r"\s(kortest|ktest|vptest\s|vtestp|vmovmsk|vpmovmskb|vpextr|vextractps"
    r"|kmov\w\s+%k\d,\s*%[er]|vmov[dq]\s+%xmm\d+,\s*%[er]|vcomis|vucomis|vcvt\w+2[su]?si)"
)


def test_the_code_does_not_look_at_points() -> None:
    """What is in a vector reaches no flag and no address, but for the one verdict at the end, and
    branches are the ends of loops and whether a column is taken away.
    """
    lanes_or_skip()
    from shared.tokens.lanes.kernel import module_of_sums, optimised

    parsed, machine = optimised(module_of_sums())
    code = machine.emit_assembly(parsed).splitlines()
    assert sum("vpmadd52" in line for line in code) > 100
    leaving = [at for at, line in enumerate(code) if LEAVES_VECTORS.search(line)]
    assert [code[at + 1].split()[0][:3] for at in leaving] == ["set"]
    assert not [line for line in code if re.search(r"\s(v\w*gather|v\w*scatter|div|idiv)", line)]
    branches = [line for line in code if re.match(r"\s+j(?!mp)", line)]
    assert 3 <= len(branches) <= 5
