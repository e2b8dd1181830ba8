"""The bundle that names a run's code at the SuperLink: made from the packages installed here.

    FOLDER/bundle/lianfang.fab    Flower's app bundle
    FOLDER/bundle/sha256          its digest, hex: what members put on their list

Invariants:
- The same installed files give the same bytes, so its digest stands for the code. Nothing in it is
  compressed: compressors differ.
- Nobody runs what is in it: coordinator and lenders run what each has installed. It tells which
  code the others have, and a plain Flower node could run it.
"""

from __future__ import annotations

import hashlib
import io
import zipfile
from collections.abc import Iterator
from functools import lru_cache
from importlib.metadata import version
from pathlib import Path

import server
from server.files import write_whole
from shared.errors import OperatorError

FOLDER, FILE, DIGEST = "bundle", "lianfang.fab", "sha256"
_PACKAGES = ("server", "client", "shared")
_LEFT_OUT = frozenset(
    {f"server/{name}" for name in ("cli.py", "commands", "consortium", "demo", "deployment")}
    | {f"server/{name}" for name in ("keyholder", "registry", "report", "simulation")}
    | {"server/borrowing", "server/cases"}
    | {f"client/{name}" for name in ("cli.py", "commands", "doctor", "exchange", "node")}
    | {"client/rings"}
    | {f"shared/{name}" for name in ("blacklist", "cases", "rings", "tokens")}
)
"""What no run needs: a task's input holds the bundle, so a large one costs time at each message."""
_DATE = (2024, 10, 1, 0, 0, 0)
_PROJECT = """\
[project]
name = "lianfang"
version = "{version}"
description = "Lenders train one risk model together without opening their books."
license = "Apache-2.0"
dependencies = ["flwr"]

[tool.flwr.app]
publisher = "lianfang"
fab-include = ["server/**/*.py", "client/**/*.py", "shared/**/*.py"]

[tool.flwr.app.components]
serverapp = "server.app:app"
clientapp = "client.app:app"

[tool.flwr.app.config]
run-directory = ""
resume = false
patience = 600.0
deadline = 3600.0
"""


def build_bundle() -> bytes:
    """The bundle of the code installed here."""
    made, manifest = io.BytesIO(), []
    with zipfile.ZipFile(made, "w", zipfile.ZIP_STORED) as archive:
        for name, content in _files():
            archive.writestr(zipfile.ZipInfo(name, _DATE), content)
            manifest.append(f"{name},{hashlib.sha256(content).hexdigest()},{8 * len(content)}")
        archive.writestr(zipfile.ZipInfo(".info/CONTENT", _DATE), "\n".join(manifest))
    return made.getvalue()


def bundle_digest(bundle: bytes) -> str:
    """SHA-256, hex, in full: Flower's own names of bundles hold eight digits of it."""
    return hashlib.sha256(bundle).hexdigest()


def write_bundle(folder: Path) -> str:
    """Put the bundle of the code installed here into a coordinator's folder; its digest."""
    bundle = build_bundle()
    digest = bundle_digest(bundle)
    home = folder / FOLDER
    home.mkdir(mode=0o700, parents=True, exist_ok=True)
    write_whole(home / FILE, bundle)
    write_whole(home / DIGEST, f"{digest}\n".encode())
    return digest


def read_digest(folder: Path) -> str:
    """The digest of the folder's bundle; OperatorError when there is none."""
    try:
        return (folder / FOLDER / DIGEST).read_text().strip()
    except OSError as error:
        raise OperatorError(
            f"{folder} holds no bundle", remedy=f"make it: lianfang-server start {folder}"
        ) from error


@lru_cache(maxsize=1)
def _files() -> tuple[tuple[str, bytes], ...]:
    return tuple(sorted(_all_files()))


def _all_files() -> Iterator[tuple[str, bytes]]:
    """Flower's form: this file, others, and a manifest (flwr 1.41, `flwr.cli.build`)."""
    yield "pyproject.toml", _PROJECT.format(version=version("lianfang")).encode()
    root = Path(str(server.__file__)).parent.parent
    for package in _PACKAGES:
        for path in (root / package).rglob("*.py"):
            parts = path.relative_to(root).parts
            if "/".join(parts[:2]) not in _LEFT_OUT:
                yield "/".join(parts), path.read_bytes()
