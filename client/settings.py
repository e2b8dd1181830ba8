"""A lender's own settings: `client.toml` in the lender's folder.

    [lender]
    member    = "L01"                 the lender's code in the consortium
    table     = "table.parquet"       its rows; a path is relative to this folder
    agreement = "agreement.json"      the terms it has agreed to
    secret    = 123                   optional: seeds what stays at the lender (simulation only)

Without `secret` one is drawn once and kept in the file `secret` beside it, readable by its owner
only.
"""

from __future__ import annotations

import json
import secrets
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from shared.errors import OperatorError
from shared.training.agreement import Agreement, agreement_from

FILE = "client.toml"


@dataclass(frozen=True)
class ClientSettings:
    """Where a lender's things are. `own` is the folder for what it keeps to itself."""

    folder: Path
    member: str
    table: Path
    agreement: Agreement
    secret: int
    own: Path


def read_settings(folder: Path) -> ClientSettings:
    """Read `client.toml`; raises OperatorError naming the file and what is wrong in it."""
    path = folder / FILE
    try:
        lender: dict[str, Any] = tomllib.loads(path.read_text(encoding="utf-8"))["lender"]
        member, table, agreement = lender["member"], lender["table"], lender["agreement"]
        terms = json.loads((folder / agreement).read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        name = Path(error.filename).name
        raise OperatorError(
            f"{folder}: no file {name}", remedy=f"put {FILE} and the files it names in this folder"
        ) from error
    except KeyError as error:
        raise OperatorError(
            f"{path}: no entry {error}", remedy="see docs/institution.md"
        ) from error
    except (tomllib.TOMLDecodeError, json.JSONDecodeError) as error:
        raise OperatorError(f"{path}: {error}", remedy="mend the file's syntax") from error
    own = folder / "own"
    secret = int(lender["secret"]) if "secret" in lender else _kept_secret(own)
    held = agreement_from(terms)
    return ClientSettings(folder, str(member), folder / str(table), held, secret, own)


def _kept_secret(own: Path) -> int:
    own.mkdir(parents=True, exist_ok=True)
    path = own / "secret"
    if not path.exists():
        path.touch(mode=0o600)
        path.write_text(str(secrets.randbits(63)))
    return int(path.read_text())
