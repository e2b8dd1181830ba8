"""Founding: a coordinator's folder with the consortium's authority, its own keys and the terms.

Invariants:
- The folder is there whole or not at all: it is made aside and put in place at the end.
- Nothing that exists is written over.
- The terms that members will hold are read back before anything is made.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import tempfile
import tomllib
from collections.abc import Callable, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

from server.authority import create_authority, issue, issue_transport, write_authority
from server.consortium.folder import (
    AUTHORITY_FOLDER,
    TRANSPORT,
    TRANSPORT_KEY,
    unwritable,
    write_object,
)
from server.files import write_durably
from server.keys import AUTHORITY, COORDINATOR, COORDINATOR_KEY, write_private
from server.revoked import REVOKED
from shared.errors import OperatorError
from shared.identity.certificate import public_of
from shared.identity.pem import certificate_to_pem
from shared.identity.transport import new_transport_key, transport_public_of
from shared.schema import Schema, parse_schema
from shared.training.agreement import FLOOR
from shared.training.consortium import FILE, Consortium, parse_consortium

AUTHORITY_DAYS, DAYS = 3_650, 365
CODE = "coordinator"
_OWN = ("consortium", "addresses", "terms")
_HEADER = re.compile(r"\s*\[\[?\s*\"?([A-Za-z_]+)")
_TERMS = ("family", "rounds", "test_share", "validation_share", "minimum_lenders", "minimum_cell")


def terms_text(
    schema: bytes,
    source: str,
    *,
    name: str,
    profile: str,
    gate: str,
    enrol: str,
    terms: Mapping[str, object],
) -> bytes:
    """The text of consortium.toml: these terms, over the schema sections of `schema`, letter for
    letter; entries of its own [terms] hold where `terms` has none. OperatorError.
    """
    text = _decoded(schema, source)
    document = tomllib.loads(text)
    own = document.get("terms", {})
    if not isinstance(own, dict):
        raise OperatorError(f"{source}: [terms] is not a section", remedy="write it as [terms]")
    floors = {"minimum_lenders": FLOOR.get(profile, 1), "minimum_cell": 1}  # type: ignore[call-overload]
    given = {key: value for key, value in terms.items() if value is not None}
    chosen = {**floors, **own, **given}
    head = [
        "# What all members of this consortium hold letter for letter. Made at its founding.",
        "[consortium]",
        f"name = {_quoted(name)}",
        f"profile = {_quoted(profile)}",
        "",
        "[addresses]",
        f"gate = {_quoted(gate)}",
        f"enrol = {_quoted(enrol)}",
        "",
        "[terms]",
        *(f"{key} = {_value(value)}" for key, value in chosen.items()),
        "",
    ]
    part = _schema_part(text, source, parse_schema(document))
    made = ("\n".join(head) + "\n" + part).encode()
    parse_consortium(made, source)
    return made


def found(
    folder: Path,
    text: bytes,
    *,
    now: datetime,
    random: Callable[[int], bytes],
    code: str = CODE,
    days: int = DAYS,
) -> Consortium:
    """Make the coordinator's folder for the consortium whose consortium.toml is `text`.

    Its certificates last `days`. Raises OperatorError, and makes nothing, when something is there.
    """
    consortium = parse_consortium(text)
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise OperatorError(
            f"{folder} is there already; nothing was written", remedy="name another folder"
        )
    aside: Path | None = None
    try:
        folder.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        aside = Path(tempfile.mkdtemp(prefix=f".{folder.name}.", dir=folder.parent))  # mode 0700
        _fill(aside, consortium.name, text, code, days, now, random)
        os.rename(aside, folder)  # over an empty folder, or none
    except OSError as error:
        raise unwritable(folder, error) from error
    finally:
        if aside is not None and aside.exists():
            shutil.rmtree(aside, ignore_errors=True)
    return consortium


def _fill(
    folder: Path,
    name: str,
    text: bytes,
    code: str,
    days: int,
    now: datetime,
    random: Callable[[int], bytes],
) -> None:
    authority = create_authority(name, days=AUTHORITY_DAYS, now=now, random=random)
    (folder / AUTHORITY_FOLDER).mkdir(mode=0o700)
    write_authority(folder / AUTHORITY_FOLDER, authority)
    private, transport_key = random(32), new_transport_key(random)
    about: dict[str, Any] = {"days": days, "now": now, "random": random}
    identity = issue(authority, code, "coordinator", public_of(private), **about)
    transport = issue_transport(
        authority, code, "coordinator", transport_public_of(transport_key), **about
    )
    (folder / "own").mkdir(mode=0o700)
    write_private(folder / COORDINATOR_KEY, private)
    write_durably(folder / TRANSPORT_KEY, transport_key)
    for file, certificate in (
        (AUTHORITY, authority.certificate),
        (COORDINATOR, identity),
        (TRANSPORT, transport),
    ):
        write_durably(folder / file, certificate_to_pem(certificate))
    write_object(folder / REVOKED, [])
    write_durably(folder / FILE, text)


def _decoded(schema: bytes, source: str) -> str:
    try:
        text = schema.decode("utf-8")
        tomllib.loads(text)
    except UnicodeDecodeError as error:
        line = schema.count(b"\n", 0, error.start) + 1
        raise OperatorError(
            f"{source}: line {line} is not UTF-8", remedy="save the file as UTF-8"
        ) from None
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise OperatorError(f"{source}: it is not TOML: {error}", remedy="mend that line") from None
    return text


def _schema_part(text: str, source: str, schema: Schema) -> str:
    """The lines of all other sections than ours, as they stand, with the comments in them."""
    kept, mine = [], True  # what comes before the first section is about the file as it was
    for line in text.splitlines(keepends=True):
        if header := _HEADER.match(line):
            mine = header[1] in _OWN
        if not mine:
            kept.append(line)
    part = "".join(kept)
    try:
        same = parse_schema(tomllib.loads(part)) == schema
    except (tomllib.TOMLDecodeError, OperatorError):
        same = False
    if not same:  # a line within a long text looks like a section
        raise OperatorError(
            f"{source}: its schema cannot be told apart from its other sections",
            remedy="remove [consortium], [addresses] and [terms] from it, and from texts in it",
        )
    return part


def _quoted(text: str) -> str:
    """A TOML basic string (JSON's escapes are a part of TOML's, but for DEL and surrogates)."""

    if not text.isprintable():
        raise OperatorError(
            f"{text[:80]!r} holds characters that do not print", remedy="choose another name"
        )
    return json.dumps(text, ensure_ascii=False)


def _value(value: object) -> str:
    if isinstance(value, str):
        return _quoted(value)
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise OperatorError(
            "[terms] holds something that is no number or text",
            remedy=f"its entries are {', '.join(_TERMS)}",
        )
    return repr(value)
