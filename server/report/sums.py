"""What the coordinator could see in a run, in plain words, for page and screen alike.

The words claim no more than docs/protocols/secure-sum.md proves, and name the limits beside the
promise. A profile that is not known gets no words of its own.
"""

from __future__ import annotations

from collections.abc import Mapping

from server.report.parts import Section

PLAIN = "NOT SECURE: plain sums, the coordinator could see each lender's numbers"
SECURE = "secure sums: the coordinator saw totals only"

_PLAIN_SEEN = (
    "Sums are plain in this run: the coordinator could see each lender's numbers. "
    "For comparison only."
)
_SECURE_SEEN = (
    "Every lender masked its numbers before they left it: the coordinator saw their totals and "
    "nobody's own numbers"
)
_PROFILES: Mapping[str, str] = {
    "demo": "profile demo, weaker than production",
    "production": "profile production",
}
_LIMITS: Mapping[str, tuple[str, ...]] = {
    "demo": (
        "The profile demo is weaker than production: three lenders are enough for a sum, no list "
        "says who may be a member, and a lender that drops out of training shows in the difference "
        "of two totals.",
    ),
    "production": (
        "The profile production asks for at least five lenders in a sum, members from an agreed "
        "list, and the same lenders in all sums of a run.",
    ),
}
_ALWAYS = (
    "It held as long as at most a third of the lenders sided with the coordinator.",
    "Totals can tell of small groups: a count of one says that some lender has such a row.",
    "A simulation protects nobody: one process plays all parts. The code is that of a real run.",
    "Proof, and what is not promised: docs/protocols/secure-sum.md.",
)


def seen_by_coordinator(*, insecure: bool, profile: str) -> str:
    """The one sentence at the top of the page: what was masked, what the coordinator saw."""
    if insecure:
        return _PLAIN_SEEN
    return f"{_SECURE_SEEN} ({_PROFILES[profile]})." if profile in _PROFILES else f"{_SECURE_SEEN}."


def limits_briefly(profile: str) -> str:
    """What stands behind `SECURE` on a screen, in a few words."""
    parts = (_PROFILES.get(profile, ""), "in a simulation one process plays all parts")
    return "; ".join(filter(None, parts))


def sums_section(*, insecure: bool, profile: str) -> Section | None:
    """The limits of secure sums; plain ones have none to speak of."""
    if insecure:
        return None
    return Section(
        slug="sums",
        title="What the coordinator saw",
        sentence="Totals over lenders, who took part, when, and how long messages were; with "
        "these limits:",
        bullets=(*_LIMITS.get(profile, ()), *_ALWAYS),
    )
