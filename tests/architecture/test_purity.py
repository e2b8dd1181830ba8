"""`shared` does no input or output and reads no clock and no global randomness: an AST scan.

Import contracts (import-linter) forbid the modules; this forbids the calls that need no import or
hide behind an allowed one.
"""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[2]
SHARED = sorted((REPOSITORY / "shared").rglob("*.py"))

BUILTINS = frozenset({"open", "print", "input", "exec", "eval", "breakpoint", "__import__"})
CLOCKS = frozenset({"now", "today", "utcnow", "fromtimestamp"})
FROM_A_SEED = frozenset({"Generator", "PCG64", "SeedSequence", "BitGenerator"})
TORCH_GLOBALS = frozenset({"manual_seed", "seed", "set_num_threads", "set_default_dtype"})
TORCH_DRAWS = frozenset({"rand", "randn", "randint", "randperm", "bernoulli", "normal"})
FILES = frozenset(
    {"save", "load", "savez", "savetxt", "loadtxt", "fromfile", "tofile", "memmap", "genfromtxt"}
)
FILE_MODULES = frozenset({"np", "numpy", "torch", "pd", "pandas", "pickle", "joblib"})
FRAME_FILES = frozenset(
    {"to_csv", "to_parquet", "to_pickle", "to_excel", "to_sql", "to_feather", "to_hdf"}
)


def dotted(node: ast.expr) -> str:
    """`np.random.normal` of an attribute chain; an expression's own part is left out."""
    parts: list[str] = []
    while isinstance(node, ast.Attribute):
        parts.append(node.attr)
        node = node.value
    if isinstance(node, ast.Name):
        parts.append(node.id)
    return ".".join(reversed(parts))


def offences(source: str) -> Iterator[str]:
    """Line and name of every call that pure code must not make."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Call):
            name = dotted(node.func)
            if name and is_impure(name, {keyword.arg for keyword in node.keywords}):
                yield f"line {node.lineno}: {name}"


def is_impure(name: str, keywords: set[str | None]) -> bool:
    *path, last = name.split(".")
    module = path[0] if path else ""
    if not path:
        return last in BUILTINS
    if last in CLOCKS or last in FRAME_FILES:
        return True
    if path[-1] == "random" and module in ("np", "numpy"):
        return last not in FROM_A_SEED
    if path == ["torch"]:
        draws = last in TORCH_DRAWS and "generator" not in keywords
        return draws or last in TORCH_GLOBALS or last in FILES
    reads_a_frame = module in ("pd", "pandas") and last.startswith("read_")
    return reads_a_frame or (last in FILES and module in FILE_MODULES)


@pytest.mark.parametrize("path", SHARED, ids=lambda path: path.relative_to(REPOSITORY).as_posix())
def test_shared_makes_no_impure_call(path: Path) -> None:
    """Rows, seeds and generators are passed in; bytes and vectors are handed out."""
    assert list(offences(path.read_text(encoding="utf-8"))) == []


def test_there_is_something_to_scan() -> None:
    """All folders of shared are among the files."""
    folders = {path.parent.name for path in SHARED}
    assert {"shared", "schema", "statistics", "model", "training", "wire"} <= folders


@pytest.mark.parametrize(
    "planted",
    [
        "open('rows.csv')",
        "print(rows)",
        "eval(text)",
        "datetime.now()",
        "datetime.datetime.now(tz)",
        "date.today()",
        "np.random.normal(3)",
        "np.random.seed(1)",
        "np.random.default_rng()",
        "numpy.random.RandomState(1)",
        "torch.manual_seed(1)",
        "torch.rand(3)",
        "torch.randperm(4)",
        "torch.load(path)",
        "np.save(path, rows)",
        "np.fromfile(path)",
        "pd.read_csv(path)",
        "frame.to_parquet(path)",
        "pickle.load(file)",
        "pd.Timestamp.now()",
    ],
)
def test_a_planted_offence_is_found(planted: str) -> None:
    """Positive control, at the depth of a method."""
    source = f"class A:\n    def f(self):\n        if rows:\n            x = [{planted}]\n"
    assert list(offences(source)) == [f"line 4: {planted.partition('(')[0]}"]


@pytest.mark.parametrize(
    "fine",
    [
        "np.random.Generator(np.random.PCG64([seed, 1]))",
        "torch.rand(3, generator=generator)",
        "torch.Generator().manual_seed(seed)",
        "generator.normal(3)",
        "np.load_state(x)",
        "save(tensors)",
        "npy.read_magic(buffer)",
        "self.open(x)",
        "reprint(x)",
    ],
)
def test_what_is_passed_in_may_be_used(fine: str) -> None:
    """Negative control: seeded generators and bytes in memory are no offence."""
    assert list(offences(f"x = {fine}\n")) == []
