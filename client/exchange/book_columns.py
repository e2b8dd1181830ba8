"""Which columns of a book hold identifiers, and of which kind.

Invariants:
- A header is matched by its folded form, as everywhere (`shared.schema.headers`); what the lender
  names itself comes first.
- Several columns may hold one kind: an applicant has two telephones. A prohibited field is refused.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from shared.errors import OperatorError
from shared.schema.headers import ALIASES, PROHIBITED, folded, is_prohibited
from shared.tokens.identifiers import COMPOSED, KINDS, kind_of

REFERENCE = "customer_ref"
_MORE_ALIASES: Mapping[str, tuple[str, ...]] = {
    "email": ("邮箱", "电子邮箱", "电子邮件"),
    "passport": ("护照号", "护照号码"),
    "permit": ("通行证号", "通行证号码"),
    "account": ("银行账号", "账号"),
    "tax_id": ("税号", "纳税人识别号"),
    "phone": ("手机", "电话"),
    "resident_id": ("身份证",),
}
_COUNTRIES = ("national_id:", "tax_id:")


class BookColumn(NamedTuple):
    """A column of the file; `kinds`: what its cells are read as, the first must succeed."""

    position: int
    header: str
    kinds: tuple[str, ...]


def columns_of(
    headers: Sequence[str], named: Mapping[str, str], source: str
) -> tuple[list[BookColumn], int | None]:
    """The columns with identifiers, and the one with the customer's reference, if any.

    Raises OperatorError for a prohibited field, a named header that is not there, no identifier, or
    a reference, which is written next to answers, that is a header of identifiers.
    """
    for header in headers:
        if field := is_prohibited(header, PROHIBITED):
            raise OperatorError(
                f"{source}: column {header!r} is prohibited in the consortium ({field})",
                remedy="take the column out of the file; it must not be read at all",
            )
    chosen = {_position(headers, header, source): kind for kind, header in named.items()}
    owner = _owners(set(named))
    found: list[BookColumn] = []
    ref = None
    for position, header in enumerate(headers):
        kind = chosen.get(position) or owner.get(folded(header)) or _of_country(header)
        if kind == REFERENCE:
            if usual_kind(header) not in (None, REFERENCE):
                raise OperatorError(
                    f"{source}: column {header!r} holds identifiers, no {REFERENCE}",
                    remedy="name another: it is written next to answers, and no identifier is",
                )
            ref = position if ref is None else ref
        elif kind is not None:
            found.append(BookColumn(position, header, _kinds(kind)))
    if not found:
        raise OperatorError(
            f"{source}: no column holds an identifier; there are {', '.join(map(repr, headers))}",
            remedy="name one, e.g. --column resident_id=HEADER; the kinds are "
            + ", ".join([*KINDS]),
        )
    return found, ref


def usual_kind(header: str) -> str | None:
    """What a header says by itself, whatever the lender names: a kind, REFERENCE, or None."""
    return _owners(set()).get(folded(header)) or _of_country(header)


def _position(headers: Sequence[str], header: str, source: str) -> int:
    places = [at for at, one in enumerate(headers) if folded(one) == folded(header)]
    if len(places) != 1:
        what = "no" if not places else "more than one"
        raise OperatorError(
            f"{source}: {what} column {header!r}; there are {', '.join(map(repr, headers))}",
            remedy="name a header of the file exactly",
        )
    return places[0]


def _owners(named: set[str]) -> dict[str, str]:
    """Folded header → kind, for the kinds whose column the lender has not named itself."""
    owner: dict[str, str] = {}
    for kind in (*KINDS, *COMPOSED, REFERENCE):
        if kind not in named:
            for text in (kind, *ALIASES.get(kind, ()), *_MORE_ALIASES.get(kind, ())):
                owner.setdefault(folded(text), kind)
    return owner


def _of_country(header: str) -> str | None:
    """`national_id:br` as a header says its kind itself."""
    text = header.strip().lower()
    return text if text.startswith(_COUNTRIES) else None


def _kinds(kind: str) -> tuple[str, ...]:
    return COMPOSED.get(kind) or (kind_of(kind).name,)
