"""A lender's settings for the shared list: `exchange.toml` in the lender's folder.

    [exchange]
    member  = "L01"                 the lender's code in the consortium
    context = "Five lenders"        the consortium's name, the same at every member
    [registry]
    code    = "R1"
    address = "registry.example:7444"
    [holders]                       all key holders, by code
    K1      = "k1.example:7443"
    K2      = "k2.example:7443"
    K3      = "k3.example:7443"

Beside it lie authority.crt, certificate.crt, own/identity.key, transport.crt, own/transport.key,
and perhaps revoked.json: codes of holders that are not asked any more.

Invariants:
- What is misspelt is refused, never ignored. Certificates are read and checked before anything is
  asked; whoever has no settings for an address is never spoken to.
- A registry that is revoked is not spoken to at all. It and the key holders are revoked by the
  lender's own hand only: what the coordinator's list says of them is left out.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from types import MappingProxyType
from typing import Any

from client.credentials import read_authority, read_identity
from client.revoked import REVOKED, read_revoked
from client.tls import Transport, read_transport
from shared.errors import OperatorError
from shared.identity.certificate import CODE, Identity

FILE = "exchange.toml"
_GUIDE = "see docs/institution.md, 'The shared list'"
_GUIDES: Mapping[str, str] = {
    "cases": "see docs/institution.md, 'Fraud rings'",
    "borrowing": "see docs/institution.md, 'Borrowing elsewhere'",
}
"""Of sections that are described elsewhere."""
_SECTIONS: Mapping[str, tuple[str, ...]] = {
    "exchange": ("member", "context"),
    "registry": ("code", "address"),
}
ELSEWHERE = ("cases", "borrowing")
"""Sections that others read from the same file (`service_of`)."""
NUMBERS: Mapping[str, frozenset[str]] = {"cases": frozenset({"window_hours"})}
"""Entries of such sections that are whole numbers and may be missing (`number_of`)."""
_ADDRESS = re.compile(r"[A-Za-z0-9_.\-\[\]:]{1,255}:[0-9]{1,5}")
_MOST_CONTEXT = 64


@dataclass(frozen=True)
class ExchangeSettings:
    """Who this lender is and whom it asks. `registry`: a code; `holders`: code → "host:port", of
    all of them; `revoked`: codes of any actors that are not asked and not believed.
    """

    folder: Path
    member: str
    context: str
    registry: str
    registry_address: str
    holders: Mapping[str, str]
    identity: Identity
    authority: bytes = field(repr=False)
    transport: Transport = field(repr=False)
    revoked: frozenset[str] = frozenset()

    @property
    def own(self) -> Path:
        """The folder for what it keeps to itself."""
        return self.folder / "own"


def _now() -> datetime:
    return datetime.now(UTC)


def read_exchange(folder: Path, *, clock: Callable[[], datetime] = _now) -> ExchangeSettings:
    """Read `exchange.toml` and the credentials beside it; OperatorError names file and entry."""
    path = folder / FILE
    document = _document(path)
    exchange, registry = (
        _section(path, document, name, entries) for name, entries in _SECTIONS.items()
    )
    holders = _holders(path, document.get("holders"))
    context = exchange["context"]
    if len(context) > _MOST_CONTEXT or "|" in context:
        raise _wrong(path, "[exchange] context", "the consortium's name, without '|'")
    for entry, code in (
        ("[exchange] member", exchange["member"]),
        ("[registry] code", registry["code"]),
    ):
        _check_code(path, entry, code)
    _check_address(path, "[registry] address", registry["address"])
    now = clock()
    authority = read_authority(folder / "authority.crt", now)
    certificate, key = folder / "certificate.crt", folder / "own" / "identity.key"
    return ExchangeSettings(
        folder=folder,
        member=exchange["member"],
        context=context,
        registry=registry["code"],
        registry_address=registry["address"],
        holders=holders,
        identity=read_identity(certificate, key, authority, exchange["member"], now),
        authority=authority,
        transport=read_transport(folder, exchange["member"], now),
        revoked=_revoked(folder, registry["code"], holders),
    )


def _revoked(folder: Path, registry: str, holders: Mapping[str, str]) -> frozenset[str]:
    codes = read_revoked(folder, services={registry, *holders})
    _check_asked(folder, codes, "the registry", registry)
    return codes


def _check_asked(folder: Path, revoked: Collection[str], called: str, code: str) -> None:
    if code in revoked:
        raise OperatorError(
            f"{folder / REVOKED}: {called} {code} is revoked: it is not asked",
            remedy=f"ask the consortium; once it has another, name it in {FILE}",
        )


def _document(path: Path) -> dict[str, Any]:
    try:
        document = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise OperatorError(
            f"{path.parent}: no file {path.name}: it is not the folder of a lender in the exchange",
            remedy="name the lender's folder with --folder, or write the file; " + _GUIDE,
        ) from error
    except OSError as error:
        raise OperatorError(f"{path}: {error.strerror}", remedy="mend the file's mode") from error
    except ValueError as error:  # TOML and UTF-8 alike
        raise OperatorError(f"{path}: {error}", remedy="mend the file's syntax") from error
    for name in document:
        if name not in (*_SECTIONS, "holders", *ELSEWHERE):
            raise OperatorError(f"{path}: no section [{name}] is known", remedy=_GUIDE)
    return document


def service_of(folder: Path, name: str, called: str) -> tuple[str, str]:
    """Code and address ("host:port") of a service with a section `[name]` of its own. OperatorError
    names file and entry, or says that the service, which people call `called`, is revoked.
    """
    path = folder / FILE
    document = _document(path)
    if isinstance(document.get(name), dict):
        for entry in NUMBERS.get(name, ()):
            document[name].pop(entry, None)
    section = _section(path, document, name, _SECTIONS["registry"])
    _check_code(path, f"[{name}] code", section["code"])
    _check_address(path, f"[{name}] address", section["address"])
    code = section["code"]
    _check_asked(folder, read_revoked(folder, services={code}), called, code)
    return code, section["address"]


def number_of(folder: Path, name: str, entry: str, usual: int, most: int) -> int:
    """A whole number (of NUMBERS) from 0 to `most` in a service's section; OperatorError."""
    path = folder / FILE
    value = _document(path).get(name, {}).get(entry, usual)
    if type(value) is not int or not 0 <= value <= most:
        raise _wrong(path, f"[{name}] {entry}", f"a whole number from 0 to {most}")
    return value


def _section(
    path: Path, document: Mapping[str, Any], name: str, entries: Sequence[str]
) -> dict[str, str]:
    section, guide = document.get(name), _GUIDES.get(name, _GUIDE)
    if not isinstance(section, dict):
        raise OperatorError(f"{path}: no section [{name}], or it is none", remedy=guide)
    for entry, value in section.items():
        if entry not in entries:
            raise OperatorError(
                f"{path}: [{name}] has an unknown entry {entry!r}",
                remedy=f"the entries are {', '.join(entries)}",
            )
        if not isinstance(value, str) or not value:
            raise _wrong(path, f"[{name}] {entry}", "a text in quotes")
    for entry in entries:
        if entry not in section:
            raise OperatorError(f"{path}: [{name}] has no entry {entry!r}", remedy=guide)
    return section


def _holders(path: Path, holders: object) -> Mapping[str, str]:
    if not isinstance(holders, dict) or len(holders) < 2:
        raise _wrong(path, "[holders]", "the code and address of every key holder, two or more")
    for code, address in holders.items():
        _check_code(path, "[holders]", code)
        _check_address(path, f"[holders] {code}", address)
    return MappingProxyType(dict(holders))


def _check_code(path: Path, entry: str, code: str) -> None:
    if not CODE.fullmatch(code):
        raise _wrong(path, entry, "1 to 64 letters, digits, '_', '-' or '.'")


def _check_address(path: Path, entry: str, address: object) -> None:
    if not isinstance(address, str) or not _ADDRESS.fullmatch(address):
        raise _wrong(path, entry, '"host:port" in quotes')


def _wrong(path: Path, entry: str, expected: str) -> OperatorError:
    return OperatorError(f"{path}: {entry} is wrong", remedy=f"expected {expected}")
