"""What a key holder's operator agreed to: `keyholder.toml` in the holder's folder.

    [keyholder]
    context   = "Five lenders"          the consortium, as in every token's input
    holders   = ["K1", "K2", "K3"]      all key holders, in order
    threshold = 2                       as many of them answer together
    profile   = "production"            or "demo"

    [keys]                              optional: grace_days, keep_days
    [quotas]                            optional: points in 24 hours, by purpose, and `total`
    beyond_block = ["L01"]              optional: who may ask for a whole block of numbers a day
    [quotas.members.L01]                optional: points for one member

Invariants:
- What is misspelt is refused, never ignored.
- Ceremonies on other terms are refused, whoever asks.
- In production nobody may have BLOCK points or more in 24 hours from all holders together, unless
  the file names who.
"""

from __future__ import annotations

import tomllib
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any, Literal, get_args

from shared.errors import OperatorError
from shared.identity.certificate import CODE
from shared.tokens.ceremony_checks import Terms

FILE = "keyholder.toml"
Purpose = Literal["application", "portfolio", "filing", "rotation", "dispute", "ring"]
PURPOSES: tuple[str, ...] = get_args(Purpose)
PROFILES = ("demo", "production")
TOTAL, BEYOND, EVERYBODY = "total", "beyond_block", "everybody"
BLOCK = 100_000
"""Numbers that are enumerated together: what one prefix of a phone or a street's ids come to."""


@dataclass(frozen=True)
class Settings:
    """`quotas`: points in 24 hours by purpose, and `total` over all; `members`: those of single
    members, by code.
    """

    terms: Terms
    profile: str
    grace_days: int
    keep_days: int
    quotas: Mapping[str, int]
    members: Mapping[str, Mapping[str, int]]

    def quota(self, member: str, purpose: str) -> int:
        """Points the member may have evaluated for this purpose within 24 hours."""
        return self.members.get(member, {}).get(purpose, self.quotas[purpose])

    def total(self, member: str) -> int:
        """Points the member may have evaluated for all purposes together within 24 hours: what the
        file says, else the default or the largest of the member's quotas, if that is more.
        """
        own = self.members.get(member, {})
        largest = max(self.quota(member, purpose) for purpose in PURPOSES)
        return own.get(TOTAL, max(self.quotas[TOTAL], largest))

    def of_all_holders(self, member: str) -> int:
        """What a member gets that spreads its requests over all quorums: each is charged at
        `threshold` of the holders.
        """
        summed = sum(self.quota(member, purpose) for purpose in PURPOSES)
        return min(self.total(member), summed) * len(self.terms.holders) // self.terms.threshold


def read_settings(folder: Path) -> Settings:
    """The settings in a holder's folder; OperatorError says what is wrong in which entry."""
    path = folder / FILE
    try:
        own = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise OperatorError(
            f"{path} cannot be read: {error.strerror}",
            remedy="name a key holder's folder; `lianfang-server keyholder init` makes one",
        ) from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise OperatorError(f"{path} is not TOML: {error}", remedy="mend that line") from error
    try:
        return settings_of(own)
    except OperatorError as error:
        raise OperatorError(f"{path}: {error.what}", remedy=error.remedy) from error


def settings_of(own: Mapping[str, Any]) -> Settings:
    """The settings of a parsed file over the defaults of the exchange."""
    defaults = tomllib.loads((files("configs") / "exchange.toml").read_text(encoding="utf-8"))
    _only(own, ("keyholder", "keys", "quotas"), "")
    table = _table(own, "keyholder")
    _only(table, ("context", "holders", "threshold", "profile"), "keyholder.")
    keys = {name: defaults["keys"][name] for name in ("grace_days", "keep_days")}
    keys |= _table(own, "keys")
    _only(keys, ("grace_days", "keep_days"), "keys.")
    quotas = dict(_table(own, "quotas"))
    members, beyond = quotas.pop("members", {}), quotas.pop(BEYOND, [])
    if not isinstance(members, dict):
        raise _wrong("quotas.members", "a table for each member")
    if not isinstance(beyond, list) or not all(_is_code(code) for code in beyond):
        raise _wrong(f"quotas.{BEYOND}", f'a list of members\' codes, or ["{EVERYBODY}"]')
    settings = Settings(
        _terms(table),
        _profile(table),
        _whole(keys, "grace_days", "keys."),
        _whole(keys, "keep_days", "keys."),
        _quotas(_defaults(defaults["quotas"], quotas) | quotas, "quotas."),
        {
            code: _quotas(_table(members, code), f"quotas.members.{code}.")
            for code in members
            if _is_code(code)
        },
    )
    if settings.profile == "production":
        _check_block(settings, beyond)
    return settings


def _defaults(quotas: Mapping[str, int], own: Mapping[str, Any]) -> dict[str, Any]:
    """`total` grows with a purpose that the file sets above it."""
    values = [value for value in own.values() if type(value) is int]
    return dict(quotas) | {TOTAL: max([quotas[TOTAL], *values])}


def _check_block(settings: Settings, beyond: Collection[str]) -> None:
    for code in (EVERYBODY, *settings.members):
        points = settings.of_all_holders(code)
        if points >= BLOCK and code not in beyond:
            raise OperatorError(
                f"quotas: {code} could have {points} points in a day from all holders, which "
                f"enumerates a block of {BLOCK} numbers",
                remedy=f"lower quotas, or name whom this is meant for: "
                f'[quotas] {BEYOND} = ["{code}"]',
            )


def _terms(table: Mapping[str, Any]) -> Terms:
    context, holders = table.get("context"), table.get("holders")
    if not isinstance(context, str) or not 0 < len(context) <= 64 or "|" in context:
        raise _wrong("keyholder.context", "the consortium's name, without '|'")
    if not isinstance(holders, list) or not all(_is_code(code) for code in holders):
        raise _wrong("keyholder.holders", "the list of all holders' codes, in order")
    threshold = _whole(table, "threshold", "keyholder.")
    if len(set(holders)) < len(holders) or not 2 <= threshold <= len(holders):
        raise _wrong("keyholder.threshold", "2 or more, and no more than there are holders")
    return Terms(context, threshold, tuple(holders))


def _profile(table: Mapping[str, Any]) -> str:
    profile = table.get("profile", "production")
    if profile not in PROFILES:
        raise _wrong("keyholder.profile", " or ".join(PROFILES))
    return str(profile)


def _quotas(table: Mapping[str, Any], where: str) -> dict[str, int]:
    _only(table, (*PURPOSES, TOTAL), where)
    return {name: _whole(table, name, where) for name in table}


def _whole(table: Mapping[str, Any], name: str, where: str) -> int:
    value = table.get(name)
    if type(value) is not int or value < 0:
        raise _wrong(where + name, "a whole number, 0 or more")
    return value


def _is_code(code: object) -> bool:
    if not isinstance(code, str) or not CODE.fullmatch(code):
        raise _wrong("a code", "1 to 64 letters, digits, '_', '-' or '.'")
    return True


def _table(table: Mapping[str, Any], name: str) -> dict[str, Any]:
    value = table.get(name, {})
    if not isinstance(value, dict):
        raise _wrong(name, "a table")
    return value


def _only(table: Mapping[str, Any], known: tuple[str, ...], where: str) -> None:
    for name in table:
        if name not in known:
            raise _wrong(where + name, f"one of {', '.join(known)}")


def _wrong(entry: str, expected: str) -> OperatorError:
    return OperatorError(f"{entry} is wrong", remedy=f"expected {expected}")
