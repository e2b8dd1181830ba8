"""The report as one HTML file that needs nothing else: no script, no font, no address to fetch.

The page's own security policy forbids fetching and scripts, so a hostile name in the data could
not act even if it were not escaped (it is: the template escapes everything but our own SVG).
The same report gives the same bytes. Jinja2 and matplotlib are imported when a page is written,
not before.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from importlib import resources
from pathlib import Path

from server.report import curve_sections, feature_sections, gain_sections, run_sections
from server.report.borrowing_section import borrowing_section
from server.report.content import Report
from server.report.list_section import list_section
from server.report.parsing import parse_report
from server.report.parts import Section
from server.report.ring_section import ring_section
from server.report.sums import seen_by_coordinator, sums_section
from server.report.wording import MISSING, count, percent, plural
from shared.errors import OperatorError


def write_report(report: Mapping[str, object], path: Path) -> None:
    """Render report.json's content into one HTML file at `path`, replacing it.

    Raises OperatorError when a key has the wrong kind of value or the file cannot be written.
    """
    page = render(report)
    try:
        path.write_text(page, encoding="utf-8", newline="\n")
    except OSError as error:
        raise OperatorError(
            f"the report could not be written: {error.strerror}",
            remedy="choose a folder that exists and may be written to",
        ) from error


def render(report: Mapping[str, object]) -> str:
    """The page as text."""
    from jinja2 import Environment, FunctionLoader, StrictUndefined

    folder = resources.files("server.report")
    environment = Environment(
        loader=FunctionLoader(lambda name: folder.joinpath(name).read_text("utf-8")),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template("template.html").render(_content(parse_report(report)))


def _content(report: Report) -> dict[str, object]:
    return {
        "title": report.title or "Consortium report",
        "subtitle": _subtitle(report),
        "insecure": report.insecure,
        "seen": seen_by_coordinator(insecure=report.insecure, profile=report.profile),
        "warnings": len(report.warnings),
        "sentences": gain_sections.gain_sentences(report.lenders),
        "sweep": gain_sections.sweep_sentence(report.sweep) if report.sweep else "",
        "gain": gain_sections.gain_picture(report),
        "facts": run_sections.headline_facts(report),
        "sections": paired(_sections(report)),
    }


def _subtitle(report: Report) -> str:
    data = report.data
    features = "" if data.features is None else f" · {plural(data.features, 'feature')}"
    return (
        f"{plural(data.lenders or len(report.lenders), 'lender')} · {count(data.rows)} rows"
        f"{features} · bad rate {percent(data.bad_rate)} · "
        f"{report.family or 'model'}, {count(report.rounds)} rounds · "
        f"profile {report.profile or MISSING} · {'plain' if report.insecure else 'secure'} sums"
    )


def _sections(report: Report) -> list[Section]:
    sections = (
        gain_sections.sweep_section(report.sweep),
        gain_sections.lenders_section(report),
        gain_sections.swap_section(report),
        list_section(report),
        ring_section(report),
        borrowing_section(report),
        curve_sections.learning_section(report),
        curve_sections.roc_section(report),
        curve_sections.ks_section(report),
        curve_sections.gain_section(report),
        curve_sections.calibration_section(report),
        curve_sections.out_of_time_section(report),
        feature_sections.woe_section(report),
        feature_sections.psi_section(report),
        run_sections.traffic_section(report),
        run_sections.seconds_section(report),
        sums_section(insecure=report.insecure, profile=report.profile),
        run_sections.warnings_section(report),
        run_sections.glossary_section(),
        run_sections.repeat_section(report),
    )
    return [section for section in sections if section is not None]


def paired(sections: list[Section]) -> list[Section]:
    """Two neighbouring half sections share a row; a half one left alone gets the whole row."""
    result: list[Section] = []
    open_half = False
    for section in sections:
        if not section.half and open_half:
            result[-1] = replace(result[-1], half=False)
        open_half = section.half and not open_half
        result.append(section)
    if open_half:
        result[-1] = replace(result[-1], half=False)
    return result
