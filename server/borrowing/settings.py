"""What a borrowing desk's operator decided: `borrowing.toml` in its folder, which may be missing.

    profile      = "production"     or "demo": a key share may be here too
    contributors = 4                lenders at least, before anything is told
    at_once      = false            a table with every page, instead of one a day: in the demo only
    [classes]                       of every lender: bank, nbank, cons, micro, auto or guar
    L01 = "bank"

Invariants:
- What is misspelt is refused, never ignored. What is not said is the strict default; production
  takes nothing weaker.
"""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from pathlib import Path

from server.apart import PROFILES
from server.borrowing.desk import TERMS, Terms
from shared.borrowing.terms import LenderClass
from shared.errors import OperatorError

FILE = "borrowing.toml"
_CLASSES = {one.name.lower(): one for one in LenderClass}
_DEFAULT = Terms()


@dataclass(frozen=True)
class Settings:
    """Of a desk."""

    profile: str = "production"
    terms: Terms = _DEFAULT


def read_settings(folder: Path) -> Settings:
    """The settings in a desk's folder; OperatorError when they cannot be used."""
    path = folder / FILE
    if not path.exists():
        return Settings()
    try:
        document = tomllib.loads(path.read_text(encoding="utf-8"))
        profile = document.pop("profile", "production")
        contributors = document.pop("contributors", TERMS.contributors)
        at_once = document.pop("at_once", False)
        classes = {code: _CLASSES[one] for code, one in document.pop("classes", {}).items()}
        if document or profile not in PROFILES or type(at_once) is not bool:
            raise ValueError("unknown entries")
        if type(contributors) is not int or contributors < 1:
            raise ValueError("contributors")
    except (OSError, ValueError, AttributeError, TypeError, KeyError) as error:
        raise OperatorError(
            f"{path} cannot be used",
            remedy='it may hold profile = "production" or "demo", contributors = 4 (or more), '
            f"at_once = false, and [classes] with the class of each lender: {', '.join(_CLASSES)}",
        ) from error
    if profile != "demo" and (at_once or contributors < TERMS.contributors):
        raise OperatorError(
            f"{path}: tables at once, or of fewer than {TERMS.contributors} contributors, could "
            "show who told what",
            remedy=f"at least {TERMS.contributors} contributors and one table a day, or the "
            "profile demo, which protects nobody",
        )
    return Settings(profile, Terms(contributors=contributors, at_once=at_once, classes=classes))
