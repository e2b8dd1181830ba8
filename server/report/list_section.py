"""The fraud list in a simulation: what each lender was told, and what it could not know alone.

Everybody on it is made up, and the page says so beside every figure that could be read as a rate.
"""

from __future__ import annotations

from server.report import list_charts
from server.report.content import FraudList, ListedLender, Report
from server.report.parts import Picture, Section, Table
from server.report.wording import MISSING, count, duration, plural, size

_HITS = ("All hits", "Only through others")
_STRENGTHS = ("Strong", "Single", "Weak")
_TERMS = (
    (
        "Only through others",
        "A hit that this lender's own filings do not give: somebody else listed the applicant.",
    ),
    (
        "Strong",
        "Two identifiers that stay with a person match, such as identity number and bank card.",
    ),
    ("Single", "One of these matches."),
    (
        "Weak",
        "Only what changes hands or is shared matches, such as a telephone number: often somebody "
        "else.",
    ),
    ("Innocent", "A hit on an applicant who is not the person that was listed."),
)


def list_section(report: Report) -> Section | None:
    """Hits by lender and class, what it cost; absent when the list was left out."""
    found = report.fraud_list
    if found is None:
        return None
    sentence = list_sentence(found)
    classes = tuple((name.replace("_", " "), count(hits)) for name, hits in found.classes)
    return Section(
        slug="fraud-list",
        title="The fraud list",
        sentence=f"{sentence} {_compared(found)}".rstrip(),
        pictures=(_hits_picture(found, sentence), _strengths_picture(found)),
        tables=(Table("Hits by class", ("Class", "Hits"), classes),) if classes else (),
        bullets=_bullets(found),
        terms=_TERMS,
    )


def _hits_picture(found: FraudList, sentence: str) -> Picture:
    rows = [(one.code, (one.hits, one.others)) for one in found.lenders]
    table = tuple(
        (one.code, *map(count, (one.filed, one.screened, one.hits, one.others)))
        for one in found.lenders
    )
    return Picture(
        caption="Each lender's applicants who are on the list",
        svg=list_charts.counts("fraud-list", _HITS, rows, f"The fraud list. {sentence}"),
        table=Table("Hits by lender", ("Lender", "Filed", "Screened", *_HITS), table),
    )


def _strengths_picture(found: FraudList) -> Picture:
    rows = [(one.code, _strengths(one)) for one in found.lenders]
    table = tuple(
        (one.code, *map(count, (*_strengths(one), one.innocent))) for one in found.lenders
    )
    told = ", ".join(
        f"{name.lower()} {count(sum(numbers[at] or 0 for _, numbers in rows))}"
        for at, name in enumerate(_STRENGTHS)
    )
    return Picture(
        caption="How sure the same hits are",
        svg=list_charts.counts(
            "fraud-list-strength", _STRENGTHS, rows, f"How sure the hits are. All lenders: {told}."
        ),
        table=Table("Hits by strength", ("Lender", *_STRENGTHS, "Innocent"), table),
    )


def _strengths(lender: ListedLender) -> tuple[int | None, int | None, int | None]:
    return lender.strong, lender.single, lender.weak


def list_sentence(found: FraudList) -> str:
    """The one sentence that screen and page share."""
    return (
        f"{count(found.hits)} of {count(found.screened)} applicants are hits on the list of "
        f"{plural(len(found.lenders), 'lender')}, {count(found.others)} of them only through "
        "other lenders' filings."
    )


def list_line(found: FraudList) -> str:
    """The same on the screen, where nothing else says that the people are made up."""
    told = f"fraud list (synthetic people): {list_sentence(found)}"
    return f"{told} {_compared(found)}".rstrip()


def _compared(found: FraudList) -> str:
    if found.differences is None:
        return ""
    return f"Differences from a plain comparison of all identifiers: {count(found.differences)}."


def _bullets(found: FraudList) -> tuple[str, ...]:
    return (
        "The people are made up: real loans say who lent, synthetic identities who applied. How "
        "many hits there are follows from how many frauds were planted.",
        f"{plural(found.filed or 0, 'filing')}: {count(found.active)} in force, "
        f"{count(found.disputed)} disputed (answers say so), {count(found.withdrawn)} withdrawn "
        "(answers no more). The gravest took a second institution.",
        f"{plural(found.innocent or 0, 'innocent applicant')} came up through a telephone number "
        f"that had been somebody else's; {count(found.innocent_weak)} of these hits are marked "
        "weak. An answer asks for a review by a person, it never declines.",
        f"Any {_of(found.threshold, found.holders)} key holders answer. They multiplied "
        f"{count(found.evaluations)} blinded points, padding included; {size(found.bytes)} crossed "
        f"between lenders, key holders and registry; all parts together took "
        f"{duration(found.cpu)} of processor time.",
        "Neither key holders nor the registry saw an identifier, or learned who was looked up and "
        "who was a hit. A simulation protects nobody: one process plays all parts. How it works, "
        "what is promised and what is not stands in the project's docs/protocols/exchange.md.",
    )


def _of(some: int | None, all_of_them: int | None) -> str:
    return f"{count(some)} of {count(all_of_them)}" if some and all_of_them else MISSING
