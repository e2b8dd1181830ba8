"""What a lender gains by joining: the first screen, the lenders' tables, swap-sets and the sweep.

The sentences are counted from the data and say what speaks against joining as loudly as what
speaks for it. A gain is clear of noise when its interval does not hold nought.
"""

from __future__ import annotations

from collections.abc import Sequence

from server.report import lender_charts
from server.report.content import Lender, Measures, Report, SwapSet, Sweep, SweepLender
from server.report.parts import Picture, Section, Table
from server.report.verdict import loses, verdict, wins
from server.report.wording import MISSING, count, interval, measure, percent, plural, points

_FIGURE_NAMES = {
    "local": "each lender alone",
    "personal": "shared + personal",
    "lightgbm": "pooled LightGBM (researcher's view only)",
    "lightgbm_knows_lender": "pooled LightGBM that knows the lender (researcher's view only)",
    "fedavg_mlp": "FedAvg network",
}


def gain_sentences(lenders: Sequence[Lender]) -> tuple[str, ...]:
    """Who gains, who loses, and how sure that is, in plain words."""
    known = [lender for lender in lenders if lender.gain is not None]
    if not known:
        return ("No lender's gain was measured in this run (--quick leaves the comparison out).",)
    winners = [lender for lender in known if wins(lender.gain)]
    first = f"{_first(lenders)}{_most(known, winners)}."
    hard = over_tuned([lender.gain_over_tuned for lender in lenders])
    sentences = (first, _sureness(winners), _losses(known), hard, _unmeasured(lenders))
    return tuple(filter(None, sentences))


def over_tuned(gains: Sequence[float | None]) -> str:
    """The same against local models tuned as hard as the researcher could; "" when not measured."""
    found = verdict(gains)
    if found is None:
        return ""
    return (
        f"Against local models tuned as hard as we could, {found.ahead} of "
        f"{plural(found.measured, 'lender')} gain and the mean gain is "
        f"{points(found.mean)} points."
    )


def _first(lenders: Sequence[Lender]) -> str:
    found = verdict([lender.gain for lender in lenders])
    assert found is not None  # asked for measured gains only
    noun = "lender" if found.measured == len(lenders) else "measured lender"
    return (
        f"{found.ahead} of {plural(found.measured, noun)} rank their own applicants better with "
        f"the consortium than alone; the mean gain is {points(found.mean)} points of AUC"
    )


def _most(known: list[Lender], winners: list[Lender]) -> str:
    if not winners or len(known) < 2:
        return ""
    best = max(winners, key=lambda lender: lender.gain or 0.0)
    smallest = min(known, key=lambda lender: lender.rows or 0)
    who = "the smallest lender" if best is smallest else best.code
    return f"; {who} gains most ({points(best.gain)})"


def _sureness(winners: list[Lender]) -> str:
    known = [lender for lender in winners if lender.gain_low is not None]
    if not winners or not known:
        return "No interval was measured, so noise cannot be told from gain." if winners else ""
    clear = sum((lender.gain_low or 0.0) > 0 for lender in known)
    number = "None" if clear == 0 else f"{clear}"
    verb = "is" if clear < 2 else "are"
    return f"{number} of these {plural(len(winners), 'gain')} {verb} clear of noise."


def _losses(known: list[Lender]) -> str:
    losers = [lender for lender in known if loses(lender.gain)]
    if not losers:
        return "No lender is worse off than alone with usual settings."
    clear = [x for x in losers if x.gain_high is not None and x.gain_high < 0]
    unknown = [x for x in losers if x.gain_high is None]
    within = [x for x in losers if x not in clear and x not in unknown]
    parts = (
        (clear, "beyond noise"),
        (within, "within noise"),
        (unknown, "without a measured interval"),
    )
    return " ".join(_lose(group, how) for group, how in parts if group)


def _lose(group: list[Lender], how: str) -> str:
    names = ", ".join(f"{x.code} {points(x.gain)}" for x in group[:4])
    more = f" and {len(group) - 4} more" if len(group) > 4 else ""
    verb = "loses" if len(group) == 1 else "lose"
    return f"{plural(len(group), 'lender')} {verb} {how} ({names}{more})."


def _unmeasured(lenders: Sequence[Lender]) -> str:
    absent = sum(lender.gain is None for lender in lenders)
    if not absent:
        return ""
    return f"{plural(absent, 'lender')} could not be measured: an AUC needs good and bad test rows."


def gain_picture(report: Report) -> Picture:
    """The one picture of the first screen, largest lender on top."""
    description = (
        "AUC of each lender's own model and of the consortium's model on the lender's own test "
        "rows, and the gain in points with its bootstrap interval, largest lender first. "
        + " ".join(gain_sentences(report.lenders))
    )
    rows = tuple(
        (
            x.code,
            count(x.rows),
            *_four(x.auc)[:3],
            points(x.gain),
            interval(x.gain_low, x.gain_high),
        )
        for x in report.lenders
    )
    head = ("Lender", "Rows", "AUC alone", "AUC shared", "AUC shared + personal")
    personal = any(x.auc.personal is not None for x in report.lenders)
    model = "shared + personal model" if personal else "shared model"
    return Picture(
        caption=f"Each lender alone → with the consortium ({model}). "
        "A bootstrap interval that crosses nought may be noise.",
        svg=lender_charts.gain_wide(report.lenders, description),
        narrow=lender_charts.gain_narrow(report.lenders, description),
        table=Table("Gain of each lender", (*head, "Gain, points", "Interval, points"), rows),
    )


def lenders_section(report: Report) -> Section:
    """Every field of every lender: size, AUC, gain, KS."""
    head = ("Lender", "Rows", "Bad rate", "Test rows")
    models = ("alone", "shared", "personal", "pooled*")
    auc_head = tuple(f"AUC {model}" for model in models)
    ks_head = tuple(f"KS {model}" for model in models)
    rows = tuple(
        (x.code, count(x.rows), percent(x.bad_rate), count(x.test_rows), *_measured_parts(x))
        for x in report.lenders
    )
    tuned = ("AUC alone, tuned", "Gain over tuned, points")
    columns = (*head, *auc_head, "Gain, points", "Interval, points", *tuned)
    separation = tuple((x.code, *_four(x.ks)) for x in report.lenders)
    return Section(
        slug="lenders",
        title="Lenders",
        sentence="The same figures for every lender, on its own test rows, largest first. "
        "Alone is LightGBM with usual settings; “alone, tuned” is tuned as hard as we could. "
        "*Pooled LightGBM is the researcher's view only: nobody in a consortium may pool rows.",
        tables=(
            Table("AUC by lender", columns, rows),
            Table("KS by lender", ("Lender", *ks_head), separation),
        ),
    )


def _measured_parts(x: Lender) -> tuple[str, ...]:
    tuned = (measure(x.auc_local_tuned), points(x.gain_over_tuned))
    return (*_four(x.auc), *_gain_cells(x), *tuned)


def _gain_cells(x: Lender) -> tuple[str, str]:
    return points(x.gain), interval(x.gain_low, x.gain_high)


def _four(measures: Measures) -> tuple[str, ...]:
    values = (measures.local, measures.shared, measures.personal, measures.pooled)
    return tuple(map(measure, values))


def swap_section(report: Report) -> Section | None:
    """Approving as many as today, but other people."""
    swaps = [(x.code, x.swap_set) for x in report.lenders if x.swap_set is not None]
    if not swaps:
        return None
    rows = tuple((code, *_swap_cells(swap)) for code, swap in swaps)
    head = ("Lender", "Approval", "In", "Bad rate in", "Out", "Bad rate out")
    table = Table("Swap-sets by lender", (*head, "Bad rate alone", "Bad rate joint"), rows)
    sentence = _swap_sentence([swap for _, swap in swaps])
    picture = Picture(
        caption="Bad rate of applicants swapped out → swapped in. “Alone” and “joint” in the "
        "table: bad rate of all whom the lender would approve.",
        svg=lender_charts.swap_sets(swaps, f"Bad rates of swap-sets by lender. {sentence}"),
        table=table,
    )
    return Section("swap-sets", "Swap-sets at equal approval", sentence, pictures=(picture,))


def _swap_cells(swap: SwapSet) -> tuple[str, ...]:
    return (
        percent(swap.approval_rate, 0),
        count(swap.swapped_in),
        percent(swap.bad_rate_in),
        count(swap.swapped_out),
        percent(swap.bad_rate_out),
        percent(swap.bad_rate_local),
        percent(swap.bad_rate_personal),
    )


def _swap_sentence(swaps: list[SwapSet]) -> str:
    ins = _bad([(s.swapped_in, s.bad_rate_in) for s in swaps])
    outs = _bad([(s.swapped_out, s.bad_rate_out) for s in swaps])
    if ins is None or outs is None:
        return "Approving as many as today, the consortium's model would approve other people."
    verdict = (
        "fewer bad" if ins[1] < outs[1] else "more bad" if ins[1] > outs[1] else "equally many bad"
    )
    return (
        f"Approving as many as today, lenders would take in {plural(ins[0], 'test applicant')} "
        f"they now refuse (bad rate {percent(ins[1])}) in place of {count(outs[0])} they now "
        f"approve (bad rate {percent(outs[1])}): {verdict} among those exchanged."
    )


def _bad(groups: list[tuple[int | None, float | None]]) -> tuple[int, float] | None:
    """All groups together: number of applicants and their bad rate."""
    known = [(number, rate) for number, rate in groups if number and rate is not None]
    total = sum(number for number, _ in known)
    return (total, sum(n * rate for n, rate in known) / total) if total else None


def sweep_section(sweep: Sweep | None) -> Section | None:
    """Mean and spread over several seeds: what one lucky split cannot show."""
    if sweep is None:
        return None
    pooled = tuple(
        (_figure_name(key), measure(mean, 4), measure(sd, 4)) for key, mean, sd in sweep.pooled
    )
    rows = tuple((x.code, *_sweep_cells(x)) for x in sweep.lenders)
    table = Table(
        "Means by lender over seeds",
        ("Lender", "AUC alone", "AUC shared", "AUC personal", "Gain, points", "± sd"),
        rows,
    )
    sentence = sweep_sentence(sweep)
    figures = Table("All test rows together", ("Figure", "Mean", "Standard deviation"), pooled)
    return Section(
        slug="sweep",
        title="Over several seeds",
        sentence=sentence,
        pictures=(
            Picture(
                caption="Mean gain of each lender over seeds, with one standard deviation",
                svg=lender_charts.sweep_gains(sweep.lenders, f"Gain over seeds. {sentence}"),
                table=table,
            ),
        ),
        tables=(figures,),
    )


def _figure_name(key: str) -> str:
    """A key of the report as words: "auc_lightgbm" is "AUC pooled LightGBM"."""
    kind, _, model = key.partition("_")
    return f"{kind.upper()} {_FIGURE_NAMES.get(model, model.replace('_', ' '))}"


def _sweep_cells(x: SweepLender) -> tuple[str, ...]:
    aucs = map(measure, (x.auc_local, x.auc_shared, x.auc_personal))
    spread = MISSING if x.gain_sd is None else f"{100 * x.gain_sd:.1f}"
    return (*aucs, points(x.gain), spread)


def sweep_sentence(sweep: Sweep) -> str:
    """How many lenders gain on the mean over seeds."""
    found = verdict([lender.gain for lender in sweep.lenders])
    if found is None:
        return f"Figures are means over {plural(len(sweep.seeds), 'seed')}."
    return (
        f"On the mean over {plural(len(sweep.seeds), 'seed')}, {found.ahead} of "
        f"{plural(found.measured, 'lender')} gain; the mean gain is "
        f"{points(found.mean)} points of AUC. "
        f"{over_tuned([lender.gain_over_tuned for lender in sweep.lenders])}"
    ).strip()
