"""Every kind of identifier, one line each.

Invariants:
- `canonical` is idempotent, and its value never is missing, never holds `|` and is not empty.
- Kinds never meet: the kind is a part of the token's input.

Which kinds point at one subject for good is the list's to say: `shared.blacklist.retention`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date

from shared.errors import InternalError, OperatorError
from shared.tokens.identifiers.address import canonical_building, canonical_unit
from shared.tokens.identifiers.bank_card import canonical_account, canonical_bank_card
from shared.tokens.identifiers.cleaning import Canonical, IdentifierError, refuse_missing
from shared.tokens.identifiers.device import canonical_device
from shared.tokens.identifiers.documents import canonical_passport, canonical_permit
from shared.tokens.identifiers.email import canonical_email
from shared.tokens.identifiers.employer import canonical_employer
from shared.tokens.identifiers.national import canonical_foreign, canonical_tax_id, has_rule
from shared.tokens.identifiers.phone import canonical_phone
from shared.tokens.identifiers.resident_id import canonical_resident_id
from shared.tokens.identifiers.uscc import canonical_uscc

VERSION = "v1"
_LONGEST = 1000  # characters; no cell of a real book comes near

Rule = Callable[[str, date], Canonical]


@dataclass(frozen=True)
class IdKind:
    """`rule`: of a text and today's date."""

    name: str
    rule: Rule


def _dateless(rule: Callable[[str], Canonical]) -> Rule:
    return lambda text, _: rule(text)


_KINDS = (
    IdKind("resident_id", canonical_resident_id),
    IdKind("uscc", _dateless(canonical_uscc)),
    IdKind("passport", _dateless(canonical_passport)),
    IdKind("permit", _dateless(canonical_permit)),
    IdKind("tax_id", canonical_tax_id),
    IdKind("bank_card", _dateless(canonical_bank_card)),
    IdKind("account", _dateless(canonical_account)),
    IdKind("phone", _dateless(canonical_phone)),
    IdKind("device", _dateless(canonical_device)),
    IdKind("email", _dateless(canonical_email)),
    IdKind("addr_unit", _dateless(canonical_unit)),
    IdKind("addr_building", _dateless(canonical_building)),
    IdKind("employer", _dateless(canonical_employer)),
)
KINDS: Mapping[str, IdKind] = {kind.name: kind for kind in _KINDS}
# What a lender writes in one column and is more than one identifier.
COMPOSED: Mapping[str, tuple[str, ...]] = {"address": ("addr_building", "addr_unit")}


def kind_of(name: str) -> IdKind:
    """The kind of a name, `national_id:<country>` and `tax_id:<country>` included.

    Raises OperatorError for any other.
    """
    if name in KINDS:
        return KINDS[name]
    if has_rule(name):
        return IdKind(name, lambda text, today: canonical_foreign(name, text, today))
    raise OperatorError(
        f"no identifier of the kind {name!r} is known",
        remedy=f"the kinds are {', '.join(KINDS)}, national_id:<country>, tax_id:<country> "
        "(two lower-case letters, countries with a rule only)",
    )


def canonical(id_kind: str, text: str, *, today: date) -> Canonical:
    """The one form of an identifier that all members give it.

    Raises IdentifierError, and MissingIdentifierError where the text says that there is none;
    OperatorError for an unknown kind.
    """
    kind = KINDS.get(id_kind) or kind_of(id_kind)
    if len(text) < 8:
        refuse_missing(id_kind, text)
    elif len(text) > _LONGEST:
        raise IdentifierError(
            id_kind, "form", "it is far too long", text=text, remedy="look at the file's columns"
        )
    found = kind.rule(text, today)
    if len(found.value) < 8:
        refuse_missing(id_kind, found.value)
    if "|" in found.value:
        raise IdentifierError(
            id_kind, "form", "it holds a vertical bar", text=text, remedy="take it out"
        )
    return found


def token_input(context: str, identifier: Canonical) -> bytes:
    """`<context>|v1|<id_kind>|<canonical>` in UTF-8: what the oblivious PRF is asked about."""
    if not context or "|" in context:
        raise InternalError("a consortium's name is empty or holds a vertical bar")
    return f"{context}|{VERSION}|{identifier.kind}|{identifier.value}".encode()
