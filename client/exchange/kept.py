"""What became of a command's events when the registry cannot be reached: kept here, or not.

Invariants:
- Only what is kept before it is sent is said to be kept.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from client.exchange.reaching import UnreachableError
from shared.errors import OperatorError


@contextmanager
def kept_here(one: str, number: int = 1) -> Iterator[None]:
    """`one`: what leaves, such as "the dispute"; of `number` such, where there are several."""
    try:
        yield
    except UnreachableError as error:
        kept = f"{one} is kept here and leaves with the next `list sync`"
        if number > 1:
            kept = (
                f"those of the {number:,} entries that it has not answered are kept here and "
                "leave with the next `list sync`"
            )
        raise OperatorError(
            f"{error.what}: {kept}", remedy=f"{error.remedy}; do not give the command again"
        ) from error


@contextmanager
def nothing_kept() -> Iterator[None]:
    """Of what asks the registry before anything is made that could be kept."""
    try:
        yield
    except UnreachableError as error:
        raise OperatorError(
            f"{error.what}: nothing was kept",
            remedy=f"{error.remedy}, then give the command again",
        ) from error


@contextmanager
def goes_on(what: str) -> Iterator[None]:
    """Of what may be given again and goes on where it was; `what`: that it does."""
    try:
        yield
    except UnreachableError as error:
        remedy = f"{error.remedy}, then give the command again: {what}"
        raise OperatorError(error.what, remedy=remedy) from error


@contextmanager
def kept_pages() -> Iterator[None]:
    """Of pages for the borrowing desk, which leave with its own sync."""
    try:
        yield
    except UnreachableError as error:
        raise OperatorError(
            f"{error.what}: the pages are kept here and leave with the next `borrowing sync`",
            remedy=f"{error.remedy}; giving the command again tells nothing twice",
        ) from error
