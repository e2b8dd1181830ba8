"""From report.json's content to `Report`; the only place that knows the names of its keys."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from server.report.borrowing_figures import parse_borrowing
from server.report.content import (
    SCHEMA_VERSION,
    Bin,
    Calibration,
    Curves,
    Cutoff,
    Data,
    Feature,
    FraudList,
    Lender,
    ListedLender,
    Measures,
    OutOfTime,
    Points,
    Pooled,
    Psi,
    Report,
    Stage,
    SwapSet,
    Sweep,
    SweepLender,
)
from server.report.fields import Fields
from server.report.ring_figures import parse_rings
from shared.errors import OperatorError


def parse_report(document: Mapping[str, object]) -> Report:
    """Read a report; raises OperatorError naming the key that has the wrong kind of value."""
    top = Fields(document, "")
    if top.whole("schema_version") != SCHEMA_VERSION:
        raise OperatorError(
            f"report key 'schema_version': expected {SCHEMA_VERSION}, "
            f"got {top.text('schema_version') or 'nothing'}",
            remedy="render the report with the version that wrote it",
        )
    traffic, seconds, model = top.child("traffic"), top.child("seconds"), top.child("model")
    versions = top.child("versions")
    phases = tuple(key for key in seconds.names() if key != "total")
    return Report(
        title=top.text("title"),
        family=top.text("family"),
        seed=top.whole("seed"),
        insecure=top.flag("insecure"),
        profile=top.text("profile"),
        versions=tuple((name, versions.text(name)) for name in versions.names()),
        config_digest=top.text("config_digest"),
        data=_data(top.child("data")),
        rounds=top.whole("rounds"),
        lenders=_by_size(tuple(_lender(node) for node in top.children("lenders"))),
        pooled=_pooled(top.child("pooled")),
        curves=_curves(top.child("curves")),
        woe=_by_value(tuple(_feature(node) for node in top.children("woe"))),
        psi=_psi(top.child("psi")),
        out_of_time=_out_of_time(top.child("out_of_time")) if top.has("out_of_time") else None,
        stages=tuple(_stage(node) for node in traffic.children("by_stage")),
        messages_per_lender=traffic.whole("messages_per_lender"),
        bytes_per_lender=top.whole("bytes_per_lender"),
        seconds=tuple((name, seconds.number(name)) for name in phases),
        seconds_total=seconds.number("total"),
        model_digest=model.text("digest"),
        model_parameters=model.whole("parameters"),
        warnings=top.texts("warnings"),
        sweep=_sweep(top.child("sweep")) if top.has("sweep") else None,
        fraud_list=_fraud_list(top.child("fraud_list")) if top.has("fraud_list") else None,
        rings=parse_rings(top.child("rings")) if top.has("rings") else None,
        borrowing=parse_borrowing(top.child("borrowing")) if top.has("borrowing") else None,
    )


def _by_size(lenders: tuple[Lender, ...]) -> tuple[Lender, ...]:
    return tuple(sorted(lenders, key=lambda lender: (-(lender.rows or 0), lender.code)))


def _by_value(features: tuple[Feature, ...]) -> tuple[Feature, ...]:
    return tuple(sorted(features, key=lambda feature: (-(feature.iv or 0.0), feature.name)))


def _measures(node: Fields, name: str) -> Measures:
    return Measures(
        local=node.number(f"{name}_local"),
        shared=node.number(f"{name}_shared"),
        personal=node.number(f"{name}_personal"),
        pooled=node.number(f"{name}_pooled"),
    )


def _lender(node: Fields) -> Lender:
    auc = _measures(node, "auc")
    lender = Lender(
        code=node.text("code"),
        rows=node.whole("rows"),
        bad_rate=node.number("bad_rate"),
        test_rows=node.whole("test_rows"),
        auc=auc,
        ks=_measures(node, "ks"),
        gain=node.number("gain"),
        gain_low=node.number("gain_low"),
        gain_high=node.number("gain_high"),
        swap_set=_swap_set(node.child("swap_set")) if node.has("swap_set") else None,
        auc_local_tuned=node.number("auc_local_tuned"),
        gain_over_tuned=node.number("gain_over_tuned"),
    )
    if lender.gain is None and lender.auc_joint is not None and auc.local is not None:
        return replace(lender, gain=lender.auc_joint - auc.local)
    return lender


def _swap_set(node: Fields) -> SwapSet:
    return SwapSet(
        approval_rate=node.number("approval_rate"),
        swapped_in=node.whole("swapped_in"),
        swapped_out=node.whole("swapped_out"),
        bad_rate_in=node.number("bad_rate_in"),
        bad_rate_out=node.number("bad_rate_out"),
        bad_rate_local=node.number("bad_rate_local"),
        bad_rate_personal=node.number("bad_rate_personal"),
    )


def _data(node: Fields) -> Data:
    return Data(
        rows=node.whole("rows"),
        lenders=node.whole("lenders"),
        features=node.whole("features"),
        bad_rate=node.number("bad_rate"),
        train_rows=node.whole("train_rows"),
        test_rows=node.whole("test_rows"),
        prevalence=node.number("prevalence"),
        source=node.text("source"),
    )


def _pooled(node: Fields) -> Pooled:
    federated = node.child("federated")
    return Pooled(
        auc_shared=node.number("auc_shared"),
        ks_shared=node.number("ks_shared"),
        auc_personal=node.number("auc_personal"),
        auc_local=node.number("auc_local"),
        auc_lightgbm=node.number("auc_lightgbm"),
        auc_lightgbm_knows_lender=node.number("auc_lightgbm_knows_lender"),
        auc_fedavg_mlp=node.number("auc_fedavg_mlp"),
        federated_auc=federated.number("auc"),
        federated_half_width=federated.number("half_width"),
        federated_ks=federated.number("ks"),
        federated_ks_bound=federated.number("ks_bound"),
    )


def _curves(node: Fields) -> Curves:
    roc, ks, gain = node.child("roc"), node.child("ks"), node.child("gain")
    models = tuple(key for key in gain.names() if key != "population")
    learning = ((n.number("round"), n.number("auc")) for n in node.children("learning"))
    groups = (
        (n.number("predicted"), n.number("observed"), n.whole("rows"))
        for n in node.children("calibration")
    )
    return Curves(
        learning=tuple((x, y) for x, y in learning if x is not None and y is not None),
        roc={name: roc.points(name) for name in roc.names() if roc.points(name)},
        ks_good=_together(ks, "score", "good"),
        ks_bad=_together(ks, "score", "bad"),
        ks=ks.number("ks"),
        ks_at=ks.number("at"),
        gain={name: _together(gain, "population", name) for name in models if gain.has(name)},
        calibration=tuple(
            Calibration(p, o, rows) for p, o, rows in groups if p is not None and o is not None
        ),
        cutoffs=tuple(filter(None, map(_cutoff, node.children("cutoffs")))),
    )


def _cutoff(node: Fields) -> Cutoff | None:
    names = ("score", "approved", "bad_rate", "bad_declined")
    found = [number for number in map(node.number, names) if number is not None]
    return Cutoff(*found) if len(found) == len(names) else None


def _together(node: Fields, x_key: str, y_key: str) -> Points:
    """Pair two lists of equal length; raises OperatorError when the lengths differ."""
    xs, ys = node.numbers(x_key), node.numbers(y_key)
    if ys and len(xs) != len(ys):
        raise OperatorError(
            f"report curve: {x_key!r} has {len(xs)} values, {y_key!r} has {len(ys)}",
            remedy="write both lists from the same grid",
        )
    pairs = zip(xs, ys, strict=False)
    return tuple((x, y) for x, y in pairs if x is not None and y is not None)


def _feature(node: Fields) -> Feature:
    bins = (
        Bin(b.text("label"), b.whole("good"), b.whole("bad"), b.number("woe"))
        for b in node.children("bins")
    )
    return Feature(node.text("feature"), node.text("unit"), node.number("iv"), tuple(bins))


def _psi(node: Fields) -> Psi:
    rows = tuple((row.text("name"), row.numbers("values")) for row in node.children("rows"))
    lenders = node.texts("lenders")
    for name, values in rows:
        if len(values) != len(lenders):
            raise OperatorError(
                f"report key 'psi.rows': {len(lenders)} lenders, but {len(values)} values for "
                f"{name!r}",
                remedy="write one value (or null) per lender",
            )
    return Psi(lenders, rows)


def _out_of_time(node: Fields) -> OutOfTime:
    return OutOfTime(
        cutoff=node.text("cutoff"),
        train_rows=node.whole("train_rows"),
        test_rows=node.whole("test_rows"),
        auc_shared=node.number("auc_shared"),
        auc_personal=node.number("auc_personal"),
        auc_lightgbm=node.number("auc_lightgbm"),
    )


def _stage(node: Fields) -> Stage:
    return Stage(node.text("stage"), node.whole("messages"), node.whole("bytes"))


def _sweep(node: Fields) -> Sweep:
    mean, sd = node.child("mean").child("pooled"), node.child("sd").child("pooled")
    names = tuple(key for key in mean.names() if key != "federated")
    return Sweep(
        seeds=node.texts("seeds"),
        pooled=tuple((name, mean.number(name), sd.number(name)) for name in names),
        lenders=tuple(_sweep_lender(child) for child in node.children("lenders")),
    )


def _sweep_lender(node: Fields) -> SweepLender:
    return SweepLender(
        code=node.text("code"),
        auc_local=node.number("auc_local"),
        auc_shared=node.number("auc_shared"),
        auc_personal=node.number("auc_personal"),
        gain=node.number("gain"),
        gain_sd=node.number("gain_sd"),
        gain_over_tuned=node.number("gain_over_tuned"),
    )


def _fraud_list(node: Fields) -> FraudList:
    classes = node.child("classes")
    return FraudList(
        lenders=tuple(_listed_lender(child) for child in node.children("lenders")),
        classes=tuple((name, classes.whole(name)) for name in classes.names()),
        filed=node.whole("filed"),
        active=node.whole("active"),
        disputed=node.whole("disputed"),
        withdrawn=node.whole("withdrawn"),
        screened=node.whole("screened"),
        hits=node.whole("hits"),
        others=node.whole("others"),
        innocent=node.whole("innocent"),
        innocent_weak=node.whole("innocent_weak"),
        differences=node.whole("differences"),
        holders=node.whole("holders"),
        threshold=node.whole("threshold"),
        evaluations=node.whole("evaluations"),
        bytes=node.child("measured").whole("bytes"),
        cpu=node.child("measured").number("cpu"),
    )


def _listed_lender(node: Fields) -> ListedLender:
    return ListedLender(
        code=node.text("code"),
        filed=node.whole("filed"),
        screened=node.whole("screened"),
        hits=node.whole("hits"),
        others=node.whole("others"),
        strong=node.whole("strong"),
        single=node.whole("single"),
        weak=node.whole("weak"),
        innocent=node.whole("innocent"),
    )
