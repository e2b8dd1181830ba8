"""A lender's own settings: `client.toml` in the lender's folder.

    [lender]
    member      = "L01"                 the lender's code in the consortium
    table       = "table.parquet"       its rows; a path is relative to this folder, or a database's
    table_password = "env:NAME"         table: see client/database_table.py
    agreement   = "agreement.json"      the terms it has agreed to; or instead
    terms       = "consortium.toml"     what it joined under: terms of runs that fit are accepted
    authority   = "authority.crt"       with the next two: needed for secure sums
    certificate = "certificate.crt"
    key         = "own/identity.key"    readable by its owner only
    members     = "members.json"        pinned list of members; needed in production
    secret      = 123                   optional: seeds what stays at the lender (simulation only)

    [node]                              where its node finds the coordinator; with `terms` only
    gate        = "coordinator.example:8443"
    enrol       = "coordinator.example:8444"
    answer_minutes = 30                 optional: an answer that takes longer is given up

    [floors]                            optional, as each of its entries: the profile's own hold
    minimum_cohort    = 5               fewest lenders in a sum
    minimum_threshold = 4               fewest lenders who can open a sum together
    maximum_clip      = 16.0            most that a value of gradients or weights may be
    kinds             = ["counts"]      what may be asked for at all
    minimum_cell      = 1               smaller cells are not counted

    [asked]                             optional: see client/borrowing/asked_settings.py

Without `secret` one is drawn once and kept in the file `secret` beside it, readable by its owner
only.

Invariants:
- What is misspelt is refused, never ignored: an entry that is not read protects nobody.
- Floors weaker than the profile's are refused in production and told as `weaknesses` elsewhere.
- Nothing secret shows in a `repr`.
"""

from __future__ import annotations

import json
import secrets
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from client.credentials import read_authority, read_identity, read_members
from client.database_table import DatabaseTable, database_table, is_database
from client.files import write_durably
from client.floors import floors_of
from client.terms import accepted, read_consortium
from shared.errors import OperatorError
from shared.identity.address import host_and_port
from shared.identity.certificate import CODE, Identity
from shared.secure_sum.floors import Floors
from shared.training.agreement import Agreement, agreement_from
from shared.training.consortium import Consortium

FILE = "client.toml"
_SECTIONS = ("lender", "floors", "node", "asked")
_NEEDED = ("member", "table")
_EITHER = ("agreement", "terms")
_CREDENTIALS = ("authority", "certificate", "key")
_LENDER = (*_NEEDED, *_EITHER, *_CREDENTIALS, "members", "secret", "table_password")
_NODE = {"gate": str, "enrol": str, "answer_minutes": int}
_ANSWER_MINUTES = 30
_GUIDE = "see docs/institution.md"


@dataclass(frozen=True)
class ClientSettings:
    """Where a lender's things are. `own` is the folder for what it keeps to itself.

    `authority` (DER) and `identity` are both there or both None; `members` maps codes to raw public
    keys of 32 bytes. `weaknesses`: what in the floors is weaker than the profile's own.
    """

    folder: Path
    member: str
    table: Path | DatabaseTable
    agreement: Agreement
    secret: int = field(repr=False)
    own: Path
    floors: Floors
    identity: Identity | None = None
    authority: bytes | None = field(default=None, repr=False)
    members: Mapping[str, bytes] | None = field(default=None, repr=False)
    weaknesses: tuple[str, ...] = ()

    @property
    def outbox(self) -> Path:
        """The journal of everything that left this lender; append-only."""
        return self.own / "outbox.jsonl"

    @property
    def vault(self) -> Path:
        """The folder of the key sets of secure sums."""
        return self.own / "vault"


@dataclass(frozen=True)
class Standing:
    """Who a lender is in secure sums under a profile; fields as in `ClientSettings`."""

    folder: Path
    member: str
    own: Path
    floors: Floors
    identity: Identity
    authority: bytes = field(repr=False)
    members: Mapping[str, bytes] | None = field(default=None, repr=False)

    @property
    def outbox(self) -> Path:
        """The journal of everything that left this lender; append-only."""
        return self.own / "outbox.jsonl"

    @property
    def vault(self) -> Path:
        """The folder of the key sets of secure sums."""
        return self.own / "vault"


def _now() -> datetime:
    return datetime.now(UTC)


def read_settings(
    folder: Path, *, terms: str = "", clock: Callable[[], datetime] = _now
) -> ClientSettings:
    """Read `client.toml` and what it names, but the table; raises OperatorError naming the file
    and what is wrong in it. Certificates are judged by the time `clock` gives. `terms`: digest of
    the run's agreement, where several were accepted.
    """
    path = folder / FILE
    lender, asked = _sections(path)
    agreement = _agreed(folder, lender, terms)
    floors = floors_of(path, asked, agreement.profile)
    identity, authority = _credentials(path, lender, clock())
    members = read_members(folder / lender["members"], identity) if "members" in lender else None
    _check_enough(path, agreement, identity, members)
    own = folder / "own"
    secret = int(lender["secret"]) if "secret" in lender else _kept_secret(own)
    return ClientSettings(
        folder=folder,
        member=lender["member"],
        table=_table(path, lender),
        agreement=agreement,
        secret=secret,
        own=own,
        floors=floors,
        identity=identity,
        authority=authority,
        members=members,
        weaknesses=tuple(floors.problems(agreement.profile)),
    )


def read_standing(
    folder: Path, profile: str, *, clock: Callable[[], datetime] = _now
) -> tuple[Standing, dict[str, Any]]:
    """Who a lender that joined is, and its section [asked] as it stands there; OperatorError as
    `read_settings`, and where it has no identity.
    """
    path = folder / FILE
    lender, asked = _sections(path)
    identity, authority = _credentials(path, lender, clock())
    if identity is None or authority is None:
        raise OperatorError(f"{path}: this lender has no identity", remedy=_GUIDE)
    members = read_members(folder / lender["members"], identity) if "members" in lender else None
    if members is None and profile == "production":
        raise _without_members(path)
    floors = floors_of(path, asked, profile)
    standing = Standing(
        folder, lender["member"], folder / "own", floors, identity, authority, members
    )
    section = _read(path, tomllib.loads).get("asked", {})
    return standing, section if isinstance(section, dict) else {"": section}


def joined_under(folder: Path) -> Consortium:
    """What a lender that joined has joined under; OperatorError where it has not."""
    lender, _ = _sections(folder / FILE)
    if "terms" not in lender:
        raise OperatorError(
            f"{folder / FILE}: no entry 'terms'", remedy="join the consortium: lianfang-client join"
        )
    return read_consortium(folder / lender["terms"])


def member_named(folder: Path) -> str | None:
    """The code that `client.toml` gives, whatever else is wrong in it; None when it gives none."""
    code = _lender_of(folder).get("member")
    return code if isinstance(code, str) and CODE.fullmatch(code) else None


def takes_terms(folder: Path) -> bool:
    """Whether `client.toml` names what it joined under, not one agreement."""
    return "terms" in _lender_of(folder)


def read_node(folder: Path) -> tuple[str, str, Consortium]:
    """Member, the gate's "host:port" and what it joined under; OperatorError as `read_settings`."""
    path = folder / FILE
    lender, _ = _sections(path)
    gate = _read(path, tomllib.loads).get("node", {}).get("gate")
    if "terms" not in lender or gate is None:
        raise OperatorError(
            f"{path}: no entry {'terms' if 'terms' not in lender else 'gate in [node]'}",
            remedy="join the consortium: lianfang-client join writes both",
        )
    host_and_port(gate)
    return lender["member"], gate, read_consortium(folder / lender["terms"])


def answer_seconds(folder: Path) -> float:
    """How long the worker of a node may be at one answer; the usual where the file is wrong, which
    `read_node` tells.
    """
    try:
        _, node = _sections(folder / FILE), _read(folder / FILE, tomllib.loads).get("node", {})
    except OperatorError:
        node = {}
    return 60.0 * int(node.get("answer_minutes", _ANSWER_MINUTES))


def _lender_of(folder: Path) -> dict[str, Any]:
    try:
        lender = tomllib.loads((folder / FILE).read_text(encoding="utf-8")).get("lender")
    except (OSError, ValueError):  # TOML and UTF-8 alike: `read_settings` says what it is
        return {}
    return lender if isinstance(lender, dict) else {}


def _table(path: Path, lender: dict[str, Any]) -> Path | DatabaseTable:
    """Where the rows are: a file or a database's table."""
    if not is_database(lender["table"]):
        return path.parent / str(lender["table"])
    try:
        return database_table(path.parent, lender["table"], lender.get("table_password", ""))
    except OperatorError as error:
        raise OperatorError(f"{path}: {error.what}", remedy=error.remedy) from error


def _agreed(folder: Path, lender: dict[str, Any], terms: str) -> Agreement:
    if "agreement" in lender:
        return _agreement(folder / lender["agreement"])
    return accepted(folder, read_consortium(folder / lender["terms"]), terms)


def _sections(path: Path) -> tuple[dict[str, Any], dict[str, Any]]:
    """Both sections of the file, with no other entries than known ones."""
    document = _read(path, tomllib.loads)
    for name in document:
        if name not in _SECTIONS:
            near = get_close_matches(name.lower(), _SECTIONS, 1)
            meant = f"did you mean [{near[0]}]? " if near else ""
            raise OperatorError(f"{path}: no section [{name}] is known", remedy=meant + _GUIDE)
    lender, floors = document.get("lender"), document.get("floors", {})
    if not isinstance(lender, dict) or not isinstance(floors, dict):
        raise OperatorError(f"{path}: no section [lender], or it is none", remedy=_GUIDE)
    for needed in _NEEDED:
        if needed not in lender:
            raise OperatorError(f"{path}: no entry {needed!r}", remedy=_GUIDE)
    if len([name for name in _EITHER if name in lender]) != 1:
        what = "no entry 'agreement'" if "agreement" not in lender else "agreement and terms"
        raise OperatorError(f"{path}: {what}; it is to be one of the two", remedy=_GUIDE)
    _check_node(path, document.get("node", {}))
    for name in lender:
        if name not in _LENDER:
            raise OperatorError(
                f"{path}: [lender] has an unknown entry {name!r}",
                remedy=f"the entries are {', '.join(_LENDER)}",
            )
    for name, value in lender.items():
        right = type(value) is int if name == "secret" else isinstance(value, str) and value
        if not right:
            kind = "a whole number" if name == "secret" else "a text in quotes"
            raise OperatorError(f"{path}: [lender] {name} is not {kind}", remedy=_GUIDE)
    return lender, floors


def _check_node(path: Path, node: Any) -> None:
    known = isinstance(node, dict) and all(
        type(value) is _NODE.get(name) and value for name, value in node.items()
    )
    known = known and node.get("answer_minutes", 1) > 0
    if not known:
        raise OperatorError(
            f"{path}: [node] holds something else than {', '.join(_NODE)}",
            remedy='write the first two as "host:port", the last as a whole number above 0',
        )


def _agreement(path: Path) -> Agreement:
    terms = _read(path, json.loads)
    if not isinstance(terms, dict):
        raise OperatorError(
            f"{path}: it is no agreement", remedy="use the founder's file unchanged"
        )
    return agreement_from(terms)


def _read(path: Path, parse: Callable[[str], Any]) -> Any:
    try:
        return parse(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise OperatorError(
            f"{path.parent}: no file {path.name}",
            remedy=f"put {FILE} and the files it names in this folder",
        ) from error
    except OSError as error:
        raise OperatorError(f"{path}: {error.strerror}", remedy="mend the file's mode") from error
    except ValueError as error:  # TOML, JSON and UTF-8 alike
        raise OperatorError(f"{path}: {error}", remedy="mend the file's syntax") from error


def _credentials(
    path: Path, lender: dict[str, Any], now: datetime
) -> tuple[Identity | None, bytes | None]:
    missing = [name for name in _CREDENTIALS if name not in lender]
    if len(missing) == len(_CREDENTIALS):
        return None, None
    if missing:
        raise OperatorError(
            f"{path}: no entry {missing[0]!r}, but others of {', '.join(_CREDENTIALS)}",
            remedy="name all three files",
        )
    authority, certificate, key = (path.parent / lender[name] for name in _CREDENTIALS)
    anchor = read_authority(authority, now)
    return read_identity(certificate, key, anchor, lender["member"], now), anchor


def _check_enough(
    path: Path,
    agreement: Agreement,
    identity: Identity | None,
    members: Mapping[str, bytes] | None,
) -> None:
    if identity is None and agreement.sums == "secure":
        raise OperatorError(
            f"{path}: the agreement asks for secure sums, and this lender has no identity",
            remedy=f"add the entries {', '.join(_CREDENTIALS)}; {_GUIDE}",
        )
    if members is None and agreement.profile == "production":
        raise _without_members(path)


def _without_members(path: Path) -> OperatorError:
    return OperatorError(
        f"{path}: a production consortium needs the list of its members",
        remedy="add the entry members, a file of code: public key that members have compared",
    )


def _kept_secret(own: Path) -> int:
    own.mkdir(mode=0o700, parents=True, exist_ok=True)
    path = own / "secret"
    if not path.exists():
        write_durably(path, str(secrets.randbits(63)).encode())
    return int(path.read_text())
