"""What the features tell: weight of evidence per bin, and how far lenders' populations differ."""

from __future__ import annotations

from server.report import bar_charts
from server.report.content import Feature, Psi, Report
from server.report.parts import Picture, Section, Table
from server.report.wording import count, measure, plural

_SHOWN = 6
_MOST_DRAWN = 30
_LEAK = 0.5
_WEAK = 0.02
_SHIFT = 0.10
_LARGE_SHIFT = 0.25
_COLUMNS = 12


def woe_section(report: Report) -> Section | None:
    """One small chart per feature, the most telling first; the rest are folded away."""
    features = report.woe
    if not features:
        return None
    drawn = features[:_MOST_DRAWN]
    pictures = tuple(_woe_picture(i, feature) for i, feature in enumerate(drawn))
    values = tuple((x.name, x.unit, measure(x.iv), count(len(x.bins))) for x in features)
    overview = Table("Information value by feature", ("Feature", "Unit", "IV", "Bins"), values)
    rest = tuple(_woe_table(feature) for feature in features[_MOST_DRAWN:])
    return Section(
        slug="woe",
        title="Weight of evidence",
        sentence=_woe_sentence(features),
        pictures=pictures[:_SHOWN],
        folded=pictures[_SHOWN:],
        folded_tables=(overview, *rest),
    )


def _woe_sentence(features: tuple[Feature, ...]) -> str:
    known = [x for x in features if x.iv is not None]
    sentence = "Bars to the right are safer than average, to the left riskier."
    if known:
        best = known[0]
        sentence += f" The most telling of {plural(len(features), 'feature')} is {best.name} "
        sentence += f"(IV {measure(best.iv)})."
    leaks = sum((x.iv or 0.0) > _LEAK for x in known)
    weak = sum((x.iv or 0.0) < _WEAK for x in known)
    if leaks:
        sentence += f" {plural(leaks, 'feature')} above {_LEAK:g}: check for leakage."
    if weak:
        sentence += f" {plural(weak, 'feature')} below {_WEAK:g} could be left out."
    return sentence


def _woe_picture(number: int, feature: Feature) -> Picture:
    unit = f", {feature.unit}" if feature.unit else ""
    caption = f"{feature.name}{unit} (IV {measure(feature.iv)})"
    return Picture(
        caption=caption,
        svg=bar_charts.woe(f"woe-{number}", feature, f"Weight of evidence of {caption}"),
        table=_woe_table(feature),
    )


def _woe_table(feature: Feature) -> Table:
    rows = tuple((b.label, count(b.good), count(b.bad), measure(b.woe, 2)) for b in feature.bins)
    return Table(f"Bins of {feature.name}", ("Bin", "Good", "Bad", "WOE"), rows)


def psi_section(report: Report) -> Section | None:
    """Heat tables of PSI, cut into blocks of lenders that fit a page."""
    psi = report.psi
    if not psi.rows or not psi.lenders:
        return None
    values = [value for _, row in psi.rows for value in row if value is not None]
    large = sum(value >= _LARGE_SHIFT for value in values)
    middle = sum(_SHIFT <= value < _LARGE_SHIFT for value in values)
    sentence = (
        f"How far each lender's applicants differ from all lenders' together: {large} of "
        f"{plural(len(values), 'value')} are at or above {_LARGE_SHIFT:g} (■ another population), "
        f"{middle} between {_SHIFT:.2f} and {_LARGE_SHIFT:g} (▲ worth watching)."
    )
    blocks = range(0, len(psi.lenders), _COLUMNS)
    tables = tuple(_psi_table(psi, start, start + _COLUMNS) for start in blocks)
    return Section("psi", "Population stability between lenders", sentence, tables=tables)


def _psi_table(psi: Psi, start: int, end: int) -> Table:
    lenders = psi.lenders[start:end]
    many = len(psi.lenders) > _COLUMNS
    span = f", {lenders[0]} to {lenders[-1]}" if many else ""
    rows = tuple((name, *map(_psi_text, values[start:end])) for name, values in psi.rows)
    tones = tuple(("", *map(_psi_tone, values[start:end])) for _, values in psi.rows)
    return Table(f"PSI by lender{span}", ("Score or feature", *lenders), rows, tones)


def _psi_text(value: float | None) -> str:
    return measure(value, 2) + {"": "", "shift": " ▲", "large": " ■"}[_psi_tone(value)]


def _psi_tone(value: float | None) -> str:
    if value is None or value < _SHIFT:
        return ""
    return "large" if value >= _LARGE_SHIFT else "shift"
