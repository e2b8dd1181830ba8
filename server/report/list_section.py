"""The fraud list in a simulation: what each lender was told, and what it could not know alone.

Everybody on it is made up, and the page says so beside every figure that could be read as a rate.
"""

from __future__ import annotations

from server.report import bar_charts
from server.report.content import FraudList, ListedLender, Report
from server.report.parts import Picture, Section, Table
from server.report.wording import MISSING, count, duration, plural, size

_HEAD = (
    "Lender",
    "Filed",
    "Screened",
    "Hits",
    "Not known alone",
    "Strong / single / weak",
    "Innocent",
)


def list_section(report: Report) -> Section | None:
    """Hits by lender and class, what it cost; absent when the list was left out."""
    found = report.fraud_list
    if found is None:
        return None
    sentence = list_sentence(found)
    bars = [
        (lender.code, float(lender.hits or 0), f"{count(lender.hits)} / {count(lender.others)}")
        for lender in found.lenders
    ]
    picture = Picture(
        caption="Hits by lender: all / only through other lenders' filings",
        svg=bar_charts.amounts("fraud-list", bars, "applicants", f"The fraud list. {sentence}"),
        table=Table("What each lender was told", _HEAD, tuple(map(_row, found.lenders))),
    )
    classes = tuple((name.replace("_", " "), count(hits)) for name, hits in found.classes)
    return Section(
        slug="fraud-list",
        title="The fraud list",
        sentence=f"{sentence} {_compared(found)}",
        pictures=(picture,),
        tables=(Table("Hits by class", ("Class", "Hits"), classes),) if classes else (),
        bullets=_bullets(found),
    )


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


def _row(lender: ListedLender) -> tuple[str, ...]:
    strengths = " / ".join(map(count, (lender.strong, lender.single, lender.weak)))
    before = (lender.filed, lender.screened, lender.hits, lender.others)
    return lender.code, *map(count, before), strengths, count(lender.innocent)


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
        "who was a hit. A simulation protects nobody: one process plays all parts. Proof, and what "
        "is not promised: docs/protocols/exchange.md.",
    )


def _of(some: int | None, all_of_them: int | None) -> str:
    return f"{count(some)} of {count(all_of_them)}" if some and all_of_them else MISSING
