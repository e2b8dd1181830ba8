"""The run itself: headline figures, traffic, time, warnings, how to read it, how to repeat it."""

from __future__ import annotations

from collections.abc import Sequence

from server.report import bar_charts
from server.report.content import Report, Stage
from server.report.parts import Fact, Picture, Section, Table
from server.report.wording import MISSING, count, duration, measure, percent, plural, size

_ASIDE = "researcher's view only: nobody in a consortium may pool rows"
_MOST_STAGES = 12

GLOSSARY = (
    ("AUC", "Chance that a bad applicant is ranked riskier than a good one: 0.5 is a coin, 1 is "
     "perfect. One point is 0.01."),
    ("KS", "The widest gap between the cumulative shares of good and bad over the score."),
    ("IV", "Information value of a feature, the sum over its bins: below 0.02 it tells nothing, "
     "above 0.5 suspect leakage."),
    ("WOE", "Weight of evidence of a bin: ln(its share of the good / its share of the bad); "
     "positive is safer than average."),
    ("PSI", "Population stability index, how far two distributions differ: below 0.10 alike, "
     "0.25 and above another population."),
    ("Swap-set", "At the same approval rate, the applicants a new model approves and the old one "
     "refused, and the other way round."),
    ("Shared model", "Trained by all lenders from sums; every lender holds the same one."),
    ("Personal model", "The shared model plus what a lender adds from its own rows; it never "
     "leaves the lender."),
    ("Bootstrap interval", "Where the gain falls when test rows are drawn again: one that holds "
     "nought cannot be told from noise."),
)  # fmt: skip


def headline_facts(report: Report) -> tuple[Fact, ...]:
    """Figures for the cards under the first picture, missing ones included as "–"."""
    pooled = report.pooled
    return (
        Fact("Shared model", measure(pooled.auc_shared, 4), f"AUC; KS {measure(pooled.ks_shared)}"),
        _federated(report),
        Fact("Shared + personal", measure(pooled.auc_personal, 4), "AUC"),
        Fact("Each lender alone", measure(pooled.auc_local, 4), "AUC"),
        Fact("FedAvg network", measure(pooled.auc_fedavg_mlp, 4), "AUC of the usual federated MLP"),
        Fact("Pooled LightGBM", measure(pooled.auc_lightgbm, 4), f"AUC; {_ASIDE}", aside=True),
        Fact(
            "… that knows the lender",
            measure(pooled.auc_lightgbm_knows_lender, 4),
            f"AUC; {_ASIDE}",
            aside=True,
        ),
        Fact("Sent per lender", size(report.bytes_per_lender), _messages(report)),
        Fact("Whole run", duration(report.seconds_total), "on this machine"),
    )


def _federated(report: Report) -> Fact:
    pooled = report.pooled
    within = pooled.federated_half_width
    note = "AUC" if within is None else f"AUC ± {within:.4f}"
    if pooled.federated_ks is not None:
        bound = pooled.federated_ks_bound
        note += f"; KS {measure(pooled.federated_ks)}"
        note += "" if bound is None else f" ± {bound:.4f}"
    return Fact("Shared, from sums", measure(pooled.federated_auc, 4), note)


def _messages(report: Report) -> str:
    return f"in {_number(report.messages_per_lender)}"


def _number(messages: int | None) -> str:
    return MISSING if messages is None else plural(messages, "message")


def traffic_section(report: Report) -> Section | None:
    """Bytes and messages by stage."""
    stages = _grouped(report.stages)
    if not stages:
        return None
    total = sum(stage.bytes or 0 for stage in stages)
    most = max(stages, key=lambda stage: stage.bytes or 0)
    share = (most.bytes or 0) / total if total else None
    sentence = (
        f"One lender sends {size(report.bytes_per_lender)} {_messages(report)}; "
        f"the stage “{most.name}” makes up {percent(share, 0)} of all bytes."
    )
    bars = [
        (x.name, (x.bytes or 0) / 1000, f"{size(x.bytes)} / {_number(x.messages)}") for x in stages
    ]
    rows = tuple((x.name, count(x.messages), count(x.bytes)) for x in report.stages)
    picture = Picture(
        caption="Bytes by stage, and the number of messages",
        svg=bar_charts.amounts("traffic", bars, "kB", f"Traffic by stage. {sentence}"),
        table=Table("Traffic by stage", ("Stage", "Messages", "Bytes"), rows),
    )
    return Section("traffic", "Traffic", sentence, pictures=(picture,), half=True)


def _grouped(stages: Sequence[Stage]) -> list[Stage]:
    """Many stages are summed by what stands before "/": "round/1", "round/2" become "round"."""
    if len(stages) <= _MOST_STAGES:
        return list(stages)
    groups: dict[str, Stage] = {}
    for stage in stages:
        name = stage.name.split("/", 1)[0]
        old = groups.get(name, Stage(name, 0, 0))
        messages = (old.messages or 0) + (stage.messages or 0)
        groups[name] = Stage(name, messages, (old.bytes or 0) + (stage.bytes or 0))
    return list(groups.values())


def seconds_section(report: Report) -> Section | None:
    """Seconds by phase, with what the phases do not account for."""
    phases = [(name, value) for name, value in report.seconds if value is not None]
    if not phases:
        return None
    rest = (report.seconds_total or 0.0) - sum(value for _, value in phases)
    if rest > 0.05:
        phases.append(("other", rest))
    longest = max(phases, key=lambda phase: phase[1])
    sentence = (
        f"The whole run took {duration(report.seconds_total)}; "
        f"the longest phase is “{longest[0]}” with {duration(longest[1])}."
    )
    bars = [(name, value, duration(value)) for name, value in phases]
    rows = tuple((name, f"{value:.2f}") for name, value in phases)
    picture = Picture(
        caption="Seconds by phase",
        svg=bar_charts.amounts("seconds", bars, "seconds", f"Seconds by phase. {sentence}"),
        table=Table("Seconds by phase", ("Phase", "Seconds"), rows),
    )
    return Section("seconds", "Time", sentence, pictures=(picture,), half=True)


def warnings_section(report: Report) -> Section:
    """What went wrong or deserves doubt; an empty list is said, not hidden."""
    if not report.warnings:
        return Section("warnings", "Warnings", "The run gave no warnings.")
    sentence = "What this run itself says deserves doubt:"
    return Section("warnings", "Warnings", sentence, bullets=report.warnings)


def glossary_section() -> Section:
    """The measures in one line each."""
    sentence = "All figures are on test rows that no model was trained on."
    return Section("glossary", "How to read this", sentence, terms=GLOSSARY, half=True)


def repeat_section(report: Report) -> Section:
    """What is needed to get the same figures again."""
    terms = (
        ("Seed", MISSING if report.seed is None else str(report.seed)),
        ("Family", report.family or MISSING),
        ("Profile", report.profile or MISSING),
        ("Rounds", count(report.rounds)),
        ("Data", report.data.source or MISSING),
        (
            "Training / test rows",
            f"{count(report.data.train_rows)} / {count(report.data.test_rows)}",
        ),
        ("Config digest", report.config_digest or MISSING),
        ("Model digest", report.model_digest or MISSING),
        ("Model parameters", count(report.model_parameters)),
        *report.versions,
    )
    sentence = "The same seed, data, configuration and versions give the same model digest."
    return Section("repeat", "Reproducibility", sentence, terms=terms, half=True)
