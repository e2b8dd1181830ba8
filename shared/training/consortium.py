"""`consortium.toml`: what every member joined under, in one file that all hold letter for letter.

    [consortium]  name, profile ("production" or "demo")
    [addresses]   gate = "host:port", enrol = "host:port"
    [terms]       family, rounds, test_share, validation_share, minimum_lenders, minimum_cell
    [table] [label] [[columns]]         schema and label contract: see shared/schema/document.py

Invariants:
- What is misspelt is refused, never ignored.
- Terms are what a run has unless it says otherwise. Of them `minimum_lenders` and `minimum_cell`,
  beside them profile, schema and secure sums, are floors: `differences` names each that a run's
  agreement goes below.
- The text may come from somebody else: sizes, names and addresses are checked, and nothing in it is
  a path.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from difflib import get_close_matches
from typing import Any, cast

from shared.errors import OperatorError
from shared.identity.address import host_and_port
from shared.schema import Schema, parse_schema
from shared.training.agreement import FLOOR, Agreement, Family, Profile

FILE = "consortium.toml"
MOST_BYTES = 1 << 20
_SECTIONS = ("consortium", "addresses", "terms", "table", "label", "columns")
_ENTRIES: dict[str, dict[str, tuple[type, ...]]] = {
    "consortium": {"name": (str,), "profile": (str,)},
    "addresses": {"gate": (str,), "enrol": (str,)},
    "terms": {
        "family": (str,),
        "rounds": (int,),
        "test_share": (float, int),
        "validation_share": (float, int),
        "minimum_lenders": (int,),
        "minimum_cell": (int,),
    },
}
_NEEDED = {"consortium": ("name", "profile"), "addresses": ("gate", "enrol"), "terms": ()}
_KINDS = {str: "a text in quotes", int: "a whole number", float: "a number"}


@dataclass(frozen=True)
class Terms:
    """What runs have unless they say otherwise; as in `Agreement`."""

    family: Family = "boosted"
    rounds: int | None = None
    test_share: float = 0.2
    validation_share: float = 0.1
    minimum_lenders: int = 3
    minimum_cell: int = 1


@dataclass(frozen=True)
class Consortium:
    """`gate`: where members' nodes connect; `enrol`: where new members ask. Both "host:port"."""

    name: str
    profile: Profile
    gate: str
    enrol: str
    terms: Terms
    schema: Schema = field(repr=False)

    def agreement(self, *, seed: int = 0, **changes: Any) -> Agreement:
        """A run's agreement: these terms, with `changes` to entries of `Agreement`. OperatorError
        for what this consortium's own members would refuse.
        """
        made = Agreement(
            self.name, self.schema, seed=seed, profile=self.profile, **asdict(self.terms)
        )
        made = replace(made, **changes)
        for difference in self.differences(made):
            raise OperatorError(
                f"no member would take part: {difference}", remedy="mend the run's settings"
            )
        return made

    def differences(self, agreement: Agreement) -> list[str]:
        """What in a run's agreement does not fit this consortium, a sentence each; empty if all
        does.
        """
        found = []
        if agreement.schema != self.schema:
            found.append("its schema or label contract is not the consortium's")
        if agreement.profile != self.profile:
            found.append(f"its profile is {agreement.profile}, the consortium's {self.profile}")
        if agreement.sums != "secure":
            found.append("its sums are not secure")
        for name in ("minimum_lenders", "minimum_cell"):
            asked, floor = getattr(agreement, name), getattr(self.terms, name)
            if asked < floor:
                found.append(f"its {name} {asked} is below the consortium's {floor}")
        return found


def parse_consortium(content: bytes, source: str = FILE) -> Consortium:
    """Read the file's bytes; OperatorError names `source`, the entry, and what to do."""
    document = _document(content, source)
    for name in document:
        if name not in _SECTIONS:
            raise _wrong(source, f"[{name:.40}] is not known", _nearest(name, _SECTIONS))
    parts = {name: _section(document, name, source) for name in _ENTRIES}
    about, addresses, terms = parts["consortium"], parts["addresses"], parts["terms"]
    _check_name(about["name"], source)
    if about["profile"] not in FLOOR:
        raise _wrong(source, "[consortium] profile is not known", f"one of {', '.join(FLOOR)}")
    for name, address in addresses.items():
        try:
            host_and_port(address)
        except OperatorError as error:
            raise _wrong(source, f"[addresses] {name}: {error.what}", error.remedy) from error
    profile = cast(Profile, about["profile"])
    terms = {"minimum_lenders": FLOOR[profile]} | terms
    try:
        made = Consortium(
            about["name"],
            profile,
            addresses["gate"],
            addresses["enrol"],
            Terms(**terms),
            parse_schema(document),
        )
        made.agreement()  # terms that no run could have are told now
    except OperatorError as error:
        raise OperatorError(f"{source}: {error.what}", remedy=error.remedy) from error
    return made


def _document(content: bytes, source: str) -> dict[str, Any]:
    if len(content) > MOST_BYTES:
        raise _wrong(source, f"it has more than {MOST_BYTES} bytes", "shorten descriptions")
    try:
        return tomllib.loads(content.decode("utf-8"))
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise _wrong(source, f"line {line} is not UTF-8", "save the file as UTF-8") from None
    except RecursionError:
        raise _wrong(source, "lists stand in lists too deep", "mend the file") from None
    except tomllib.TOMLDecodeError as error:
        raise _wrong(source, f"it is not TOML: {error}", "mend that line") from None


def _section(document: Mapping[str, Any], name: str, source: str) -> dict[str, Any]:
    section = document.get(name, {})
    if not isinstance(section, dict):
        raise _wrong(source, f"[{name}] is not a section", f"write it as [{name}]")
    entries = _ENTRIES[name]
    for key, value in section.items():
        if key not in entries:
            raise _wrong(source, f"[{name}] {key:.40} is not known", _nearest(key, entries))
        if type(value) not in entries[key]:
            wanted = _KINDS[entries[key][0]]
            raise _wrong(source, f"[{name}] {key} is not {wanted}", f"write {wanted}")
    for key in _NEEDED[name]:
        if key not in section:
            raise _wrong(source, f"[{name}] {key} is missing", "add it")
    return section


def _check_name(name: str, source: str) -> None:
    if not 0 < len(name) <= 64 or not name.isprintable() or "|" in name:
        raise _wrong(
            source,
            "[consortium] name is not 1 to 64 printable letters without '|'",
            "choose another",
        )


def _nearest(key: str, known: Any) -> str:
    near = get_close_matches(key, list(known), n=1)
    return f"did you mean {near[0]!r}?" if near else f"known are {', '.join(known)}"


def _wrong(source: str, what: str, remedy: str) -> OperatorError:
    return OperatorError(f"{source}: {what}", remedy=remedy)
