"""`address` is two identifiers: `addr_building`, and `addr_unit`, a home in the building.

Invariants:
- Province and prefecture stand in full; numerals, 栋/幢/座/号楼 and 室/房/户 in one form each.
- An address that does not name one building (one home) is refused: a street shared by thousands
  must not become a link between them.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from shared.tokens.identifiers.cleaning import (
    Canonical,
    IdentifierError,
    cleaned,
    joined,
    settled,
)
from shared.tokens.identifiers.regions import split_region

BUILDING, UNIT = "addr_building", "addr_unit"
_MOST = 200
_NOISE = re.compile(r"[,，。、.()（）\[\]【】;:'\"“”]")
_DIGITS = {character: value for value, character in enumerate("零一二三四五六七八九")} | {"〇": 0}
_NUMERAL = re.compile("([零〇一二三四五六七八九十百]+)(?=号|栋|幢|单元|室|层|弄|户)")
_HYPHENS, _HASH = re.compile("[‐‑‒–—―−]"), re.compile("#楼?")
_THREE = re.compile(r"(?<![0-9A-Z-])([0-9A-Z]{1,4})-([0-9A-Z]{1,3})-([0-9A-Z]{1,5})(?:室|房|户)?$")
_BEHIND = re.compile(r"(号楼|栋|幢|座)([0-9A-Z]{1,3})-([0-9A-Z]{1,5})(?:室|房|户)?$")
_TWO = re.compile(r"(?<![0-9A-Z-])([0-9A-Z]{1,4})-([0-9A-Z]{1,5})(?:室|房|户)?$")
_PARTS = re.compile(
    r"(?P<street>.+?)(?:(?P<building>[0-9A-Z]{1,6})(?:号楼|栋|幢|座))?"
    r"(?:(?P<stair>[0-9A-Z]{1,4})(?:单元|门))?(?:[0-9]{1,3}(?:层|楼))?"
    r"(?:(?P<room>[0-9A-Z]{1,6})(?:室|房|户)?)?"
)
_NAMES_A_BUILDING = re.compile("(?:[0-9A-Z]号|大厦|大楼|公寓|宿舍)$")


class _Address(NamedTuple):
    building: str
    home: str


def canonical_building(text: str) -> Canonical:
    """`广东省深圳市南山区科技园路1号3号楼`. Raises IdentifierError."""
    return Canonical(BUILDING, settled(BUILDING, text, lambda t: _read(BUILDING, t).building))


def canonical_unit(text: str) -> Canonical:
    """`广东省深圳市南山区科技园路1号3号楼2单元501室`. Raises IdentifierError."""
    return Canonical(UNIT, settled(UNIT, text, lambda t: _unit(_read(UNIT, t), t)))


def _unit(address: _Address, text: str) -> str:
    if not address.home:
        raise _refused(UNIT, "no_unit", "it names no home in the building", text, "add the room")
    return address.building + address.home


def _read(kind: str, text: str) -> _Address:
    split = split_region(_plain(text)) if len(text) <= _MOST else None
    if split is None:
        raise _refused(kind, "region", "province and city are not clear", text, "write both")
    parts = _PARTS.fullmatch(split[1])
    if parts is None:
        raise _refused(kind, "form", "it cannot be divided into its parts", text, "write it anew")
    street, number, stair, room = parts.group("street", "building", "stair", "room")
    if not number and not _NAMES_A_BUILDING.search(street):
        raise _refused(
            kind, "no_building", "it names no building", text, "add the number with 号, 栋 or 号楼"
        )
    building = split[0] + street + (f"{number}号楼" if number else "")
    home = (f"{stair}单元" if stair else "") + (f"{room}室" if room else "")
    return _Address(building, home if room else "")


def _plain(text: str) -> str:
    """One form of numerals and units; hyphens of `3-2-501` are read before they are dropped."""
    plain = _NOISE.sub("", re.sub(r"\s+", "", cleaned(text))).upper()
    plain = _HYPHENS.sub("-", plain)
    plain = _HASH.sub("号楼", plain)
    plain = _NUMERAL.sub(lambda found: _number(found[1]), plain)
    plain = _THREE.sub(r"\1号楼\2单元\3室", plain)
    plain = _BEHIND.sub(r"\1\2单元\3室", plain)
    return joined(_TWO.sub(r"\1号楼\2室", plain))


def _number(numeral: str) -> str:
    """`二十三` → `23`, `一百零二` → `102`, `五零一` → `501`; what is neither stays."""
    if not set(numeral) & set("十百"):
        return "".join(str(_DIGITS[character]) for character in numeral)
    total, digit = 0, 0
    for character in numeral:
        if character in "十百":
            total += (digit or 1) * (10 if character == "十" else 100)
            digit = 0
        else:
            digit = _DIGITS[character]
    return str(total + digit)


def _refused(kind: str, reason: str, what: str, text: str, remedy: str) -> IdentifierError:
    return IdentifierError(kind, reason, what, text=cleaned(text), remedy=remedy)
