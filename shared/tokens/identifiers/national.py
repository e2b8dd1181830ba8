"""`tax_id`, `tax_id:<country>` and `national_id:<country>`: the rules of python-stdnum.

Invariants:
- A country without a rule is refused: without one, two members would write one number in two ways.
- `tax_id` alone is the mainland's: a company code, a resident id, or the 15 digits of before 2015.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import date
from importlib import import_module
from types import ModuleType

from stdnum.exceptions import ValidationError

from shared.tokens.identifiers.cleaning import (
    Canonical,
    IdentifierError,
    is_repeated,
    joined,
    refuse_rounded,
)
from shared.tokens.identifiers.resident_id import canonical_resident_id
from shared.tokens.identifiers.uscc import problem_of

TAX, NATIONAL = "tax_id", "national_id"
_OLD_TAX = re.compile(r"[0-9]{6}[0-9A-Z]{9}")
# Country → module of stdnum for the number that one person keeps for life.
NATIONAL_RULES: Mapping[str, str] = {
    "ar": "ar.dni",
    "be": "be.nn",
    "bg": "bg.egn",
    "br": "br.cpf",
    "cl": "cl.rut",
    "co": "co.nit",
    "cz": "cz.rc",
    "de": "de.idnr",
    "dk": "dk.cpr",
    "ee": "ee.ik",
    "es": "es.dni",
    "fi": "fi.hetu",
    "fr": "fr.nir",
    "hr": "hr.oib",
    "id": "id.nik",
    "it": "it.codicefiscale",
    "kr": "kr.rrn",
    "mx": "mx.curp",
    "my": "my.nric",
    "nl": "nl.bsn",
    "no": "no.fodselsnummer",
    "pk": "pk.cnic",
    "pl": "pl.pesel",
    "ro": "ro.cnp",
    "se": "se.personnummer",
    "th": "th.pin",
    "tr": "tr.tckimlik",
    "us": "us.ssn",
    "za": "za.idnr",
}
TAX_RULES: Mapping[str, str] = {
    "au": "au.abn",
    "br": "br.cnpj",
    "de": "de.vat",
    "es": "es.nif",
    "fr": "fr.tva",
    "gb": "gb.vat",
    "id": "id.npwp",
    "it": "it.iva",
    "jp": "jp.cn",
    "kr": "kr.brn",
    "mx": "mx.rfc",
    "nl": "nl.btw",
    "ru": "ru.inn",
    "sg": "sg.uen",
    "th": "th.tin",
    "tw": "tw.ubn",
    "us": "us.ein",
    "vn": "vn.mst",
}


def canonical_tax_id(text: str, today: date) -> Canonical:
    """The mainland's. Raises IdentifierError."""
    plain = joined(text).upper()
    if problem_of(plain) is None or (_OLD_TAX.fullmatch(plain) and not is_repeated(plain)):
        return Canonical(TAX, plain)
    refuse_rounded(TAX, text)
    try:
        return canonical_resident_id(plain, today)._replace(kind=TAX)
    except IdentifierError:
        raise IdentifierError(
            TAX,
            "form",
            "it is neither a company code nor a resident id nor 15 characters",
            text=plain,
            remedy="compare it with the tax registration",
        ) from None


def canonical_foreign(kind: str, text: str, today: date) -> Canonical:
    """`tax_id:<country>` or `national_id:<country>`. Raises IdentifierError."""
    family, _, country = kind.partition(":")
    if country == "cn":
        own = canonical_resident_id if family == NATIONAL else canonical_tax_id
        return own(text, today)._replace(kind=kind)
    refuse_rounded(kind, text)
    plain = joined(text).upper()
    try:
        value = str(_rule(family, country).validate(plain))
    except (ValidationError, ValueError) as error:
        raise IdentifierError(
            kind,
            type(error).__name__.removeprefix("Invalid").lower() or "form",
            "it is not a number of this kind",
            text=plain,
            remedy="compare it with the document",
        ) from None
    return Canonical(kind, joined(value).upper())


def has_rule(kind: str) -> bool:
    """Whether `<family>:<country>` is known."""
    family, _, country = kind.partition(":")
    rules = {TAX: TAX_RULES, NATIONAL: NATIONAL_RULES}.get(family, {})
    return country in rules or (country == "cn" and bool(rules))


def _rule(family: str, country: str) -> ModuleType:
    rules = TAX_RULES if family == TAX else NATIONAL_RULES
    return import_module(f"stdnum.{rules[country]}")
