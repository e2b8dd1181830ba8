"""The lender's own numbers of applications are written next to answers: no identifier is one.

Invariants:
- A column whose header is in use for identifiers or for a contact of the customer is refused,
  whatever the lender names it for.
- Under any header, one resident id of an adult is refused, and so are cells that are mostly mobile
  numbers or resident ids of 15 digits. Numbers made of region, day and a count are none: nobody
  born on the day of an application is an adult.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import date

from client.exchange.book_columns import REFERENCE, usual_kind
from shared.errors import OperatorError
from shared.schema.finding import masked
from shared.schema.headers import folded
from shared.tokens.identifiers import IdentifierError, canonical

ADULT = 16
"""Years: who earns their living is an adult from then on (Civil Code of the PRC, art. 18)."""
_CONTACTS = tuple(map(folded, ("联系人", "emergency contact", "contact phone")))
_RESIDENT_ID = re.compile(r"(?<![0-9])[0-9]{17}[0-9Xx](?![0-9A-Za-z])")
_OLD = re.compile(r"[0-9]{15}")
_MOBILE = re.compile(r"(?:\+86|0086|86|0)?1[3-9][0-9]{9}")
_GAPS = re.compile(r"[\s()\-‐‑‒–—―−·•‧∙⋅・]+")


def is_of_identifiers(header: str) -> bool:
    """Whether a header is in use for an identifier, or for a contact of the customer."""
    text = folded(header)
    return usual_kind(header) not in (None, REFERENCE) or any(one in text for one in _CONTACTS)


def check_numbers(numbers: Sequence[str], source: str, today: date) -> None:
    """OperatorError, with one of them masked, where applications' numbers are identifiers."""
    distinct = [text for text in dict.fromkeys(numbers) if text]
    plain = [_GAPS.sub("", text) for text in distinct]
    shown = next((one for one in (*distinct, *plain) if _holds_adult(one, today)), "")
    likely = [one for one in plain if _MOBILE.fullmatch(one) or _is_old(one, today)]
    if not shown and 2 * len(likely) > len(plain):
        shown = likely[0]
    if shown:
        raise OperatorError(
            f"{source}: application_id holds identifiers of people, such as {masked(shown)}; "
            "nothing was looked up",
            remedy="name a column of your own numbers of applications: --column "
            "application_id=HEADER; if these are your own, put a letter in front of each",
        )


def _holds_adult(text: str, today: date) -> bool:
    """Whether 18 characters in it are the resident id of an adult."""
    for found in _RESIDENT_ID.findall(text):
        try:
            canonical("resident_id", found, today=today)
        except IdentifierError:
            continue
        if int(found[6:10]) + ADULT <= today.year:
            return True
    return False


def _is_old(text: str, today: date) -> bool:
    if not _OLD.fullmatch(text):
        return False
    try:
        canonical("resident_id", text, today=today)
    except IdentifierError:
        return False
    return True
