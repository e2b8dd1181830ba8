"""What an operator can do about a stage that came to nothing.

Lenders that are gone are to be brought back. Where one answered that it will not or cannot, that
does not help: the reason it gave says what to change.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence

ENDED = "certificates ended"
"""In the reason for a lender that the gate refuses since it has not renewed."""
REVOKED = "is revoked"
"""Likewise, since it is believed no more."""
NOT_AWAITED = "at work when the others gave up"
"""Likewise, where nothing could come of its answer: it is not to blame."""
_WITHOUT = "{} does not come back: start a new run without it"
_RENEW = "renew the certificates of {}: there, lianfang-client renew"
_REFUSED = re.compile(r"refused \(([a-z-]+)")
_OWN = "mend what the own log of {} names, then run the same command with --resume"
_KEYS = "the lost keys of {} cannot be made again: start a new run on new terms"
_FLOORS = (
    "compare what was asked with the [floors] in client.toml of {}: lower them there and run the "
    "same command with --resume, or start a new run on terms that fit them"
)
_ONCE = "no lender lets the same numbers out twice, nor does {}: start a new run on new terms"
_ROWS = (
    "bring back the lenders that were counted over these rows before, or let a person at each of "
    "{} decide: there, lianfang-client terms show says what it costs and how to allow it; then run "
    "the same command with --resume"
)
_ASKED = (
    "ask {}: the section [asked] in client.toml there says who may ask, and how many batches a "
    "day; then start another run, with a new file of the asker"
)
_UNCLOSED = (
    "{} answered an earlier batch whose end was not heard there: bring that run to its end "
    "(lianfang-server run resume), then run the same command with --resume; where it never comes, "
    "two persons there say so: lianfang-client borrowing give-up"
)
_ALIKE = (
    "compare agreement, certificates and version with {} (the evidence is in the folder refusals), "
    "mend what differs, then run the same command with --resume"
)
_BY_REASON = (
    dict.fromkeys(("operator", "internal", "unexpected", "peer"), _OWN)
    | {"no-keys": _KEYS, "rows": _ROWS, "asked": _ASKED, "unclosed": _UNCLOSED}
    | dict.fromkeys(("cohort", "threshold", "clip", "kind", "cell"), _FLOORS)
    | dict.fromkeys(("again", "answered", "slot", "later", "difference", "survivors"), _ONCE)
)
UNOPENED = (
    "run the same command with --resume, which asks every lender for its answer once more; if that "
    "does not help, find out who sent wrong shares (each lender's outbox holds what it sent), and "
    "start a new run on new terms without it"
)


def to_blame(missing: Iterable[Sequence[str]]) -> dict[str, str]:
    """Of pairs of a missing lender and why, those that had anything to do with it."""
    return {who: why for who, why in missing if why != NOT_AWAITED}


def refusals_in(missing: Mapping[str, str]) -> dict[str, str]:
    """Of missing lenders and why, those that refused, with the reason in one word."""
    found = {who: _REFUSED.match(why) for who, why in missing.items()}
    return {who: match[1] for who, match in found.items() if match}


def revoked_in(missing: Mapping[str, str]) -> frozenset[str]:
    """Of missing lenders and why, those that the gate refuses for good."""
    return frozenset(who for who, why in missing.items() if REVOKED in why)


def remedy_for(lines: Iterable[str], usual: str) -> str:
    """For a void stage. `lines`: each "lender: why"; `usual`: where lenders are gone."""
    missing = to_blame(line.split(": ", 1) for line in lines if ": " in line)
    refused = refusals_in(missing)
    found: dict[str, list[str]] = {}
    for who, reason in sorted(refused.items()):
        found.setdefault(_BY_REASON.get(reason, _ALIKE), []).append(who)
    if ended := sorted(who for who, why in missing.items() if ENDED in why):
        found[_RENEW] = ended
    if revoked := revoked_in(missing):
        found[_WITHOUT] = sorted(revoked)
    told = [text.format(", ".join(names)) for text, names in found.items()]
    known = len(refused) + len(revoked)
    gone = known < len(missing) or not known
    return "; ".join([*told, usual] if usual and gone else told)


def unopened(why: str, answers: int, needed: int) -> str:
    """Why a sum that `answers` lenders answered, where `needed` would do, does not open."""
    liars = "two or more of those who answered" if answers > needed else "one of those who answered"
    return (
        f"{why}: either {liars} sent wrong shares, or the lenders named dealt wrong ones in the "
        "set-up; nothing was released, and no wrong total can come of it"
    )
