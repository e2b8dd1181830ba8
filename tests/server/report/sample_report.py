"""A made-up report with the shape of a real run: curves fit each other, counts add up."""

from __future__ import annotations

import numpy as np

NAMES = (
    "months_since_last_delinquency",
    "utilisation",
    "monthly_income",
    "employment_length",
    "loan_term",
    "industry",
    "state",
    "debt_to_income_ratio_including_the_instalment_applied_for",
    "enquiries_last_6_months",
    "age_of_oldest_account",
    "open_accounts",
    "home_ownership",
    "number_of_dependants",
    "new_business",
)


def sample_report(
    *,
    lenders: int = 12,
    features: int = 14,
    insecure: bool = False,
    sweep: bool = False,
    seed: int = 7,
) -> dict[str, object]:
    """A complete report; the same arguments give the same report."""
    rng = np.random.default_rng(seed)
    codes = [f"L{i + 1:02d}" for i in range(lenders)]
    rows = np.sort(np.round(np.exp(rng.normal(7.2, 1.1, lenders))).astype(int))[::-1] + 150
    names = [NAMES[i] if i < len(NAMES) else f"feature_{i:02d}" for i in range(features)]
    people = [
        _lender(rng, code, int(n), i) for i, (code, n) in enumerate(zip(codes, rows, strict=True))
    ]
    if lenders > 4:
        people[-2].update(
            auc_local=None, auc_shared=None, auc_personal=None, auc_pooled=None, gain=None,
            gain_low=None, gain_high=None, ks_local=None, ks_shared=None, ks_personal=None,
            ks_pooled=None, swap_set=None,
        )  # fmt: skip
    document: dict[str, object] = {
        "schema_version": 1,
        "title": "Lianfang: what twelve lenders gain together",
        "family": "boosted",
        "seed": seed,
        "insecure": insecure,
        "profile": "demo",
        "versions": {"lianfang": "0.1.0", "python": "3.11.9", "torch": "2.13.0"},
        "config_digest": "5f" * 32,
        "data": {
            "rows": int(rows.sum()), "lenders": lenders, "features": features, "bad_rate": 0.183,
            "train_rows": int(rows.sum() * 0.8), "test_rows": int(rows.sum() * 0.2),
            "source": "embedded sample of small-business loans",
        },
        "rounds": 60,
        "lenders": people,
        "pooled": {
            "auc_shared": 0.8217, "ks_shared": 0.492, "auc_personal": 0.8251,
            "auc_local": 0.7893, "auc_lightgbm": 0.8226, "auc_lightgbm_knows_lender": 0.8296,
            "auc_fedavg_mlp": 0.7411,
            "federated": {"auc": 0.8216, "half_width": 0.0009, "ks": 0.491, "ks_bound": 0.0011},
        },
        "curves": _curves(rng),
        "woe": [_feature(rng, name) for name in names],
        "psi": {"lenders": codes, "rows": _psi(rng, ["score", *names], lenders)},
        "out_of_time": {
            "cutoff": 2006, "train_rows": 20_113, "test_rows": 7_458, "auc_shared": 0.7811,
            "auc_lightgbm": 0.7835, "auc_personal": 0.7864,
        },
        "traffic": {"messages_per_lender": 75, "by_stage": _stages()},
        "bytes_per_lender": sum(int(s["bytes"]) for s in _stages()),
        "seconds": {"total": 31.4, "prepare": 2.2, "train": 14.8, "evaluate": 9.1, "report": 3.0},
        "model": {"digest": "c0ffee" * 10 + "0000", "parameters": 76_800},
        "warnings": ["L09 has fewer than 100 bad rows: its interval is wide."],
        "fraud_list": _fraud_list(codes),
        "rings": _rings(codes),
    }  # fmt: skip
    if sweep:
        document["sweep"] = _sweep(rng, people)
    return document


def _lender(rng: np.random.Generator, code: str, rows: int, place: int) -> dict[str, object]:
    local = 0.79 - 0.006 * place + rng.normal(0, 0.02)
    gain = rng.normal(0.008 + 0.003 * place, 0.01)
    half = 0.9 / np.sqrt(rows)
    shared = local + gain - abs(rng.normal(0, 0.004))
    rate = float(rng.uniform(0.08, 0.3))
    moved = max(3, int(rows * 0.02))
    return {
        "code": code, "rows": rows, "bad_rate": rate, "test_rows": rows // 5,
        "auc_local": local, "auc_shared": shared, "auc_personal": local + gain,
        "auc_pooled": shared + 0.001, "ks_local": 1.4 * local - 0.65, "ks_shared": 0.45,
        "ks_personal": 0.47, "ks_pooled": 0.46, "gain": gain, "gain_low": gain - half,
        "gain_high": gain + half,
        "swap_set": {
            "approval_rate": 0.7, "swapped_in": moved, "swapped_out": moved,
            "bad_rate_in": rate * 0.8, "bad_rate_out": rate * (1.5 if place % 5 else 0.7),
            "bad_rate_local": rate * 0.6, "bad_rate_personal": rate * 0.55,
        },
    }  # fmt: skip


def _fraud_list(codes: list[str]) -> dict[str, object]:
    lenders = [
        {
            "code": code, "filed": 2, "screened": 120, "hits": 4 + i % 5, "others": 3 + i % 5,
            "strong": 2, "single": 1, "weak": 1 + i % 5, "innocent": i % 2,
        }
        for i, code in enumerate(codes)
    ]  # fmt: skip
    names = ("filed", "screened", "hits", "others", "innocent")
    totals = {name: sum(int(str(one[name])) for one in lenders) for name in names}
    hits = totals["hits"]
    return totals | {
        "active": totals["filed"] - 2, "disputed": 1, "withdrawn": 1,
        "innocent_weak": totals["innocent"], "differences": 0, "holders": 3, "threshold": 2,
        "tokenised": 480 * len(codes), "evaluations": 1152 * len(codes),
        "classes": {"fraud_confirmed": hits - hits // 3, "mule_account": hits // 3},
        "measured": {"cpu": 2.9, "bytes": 3_300_000}, "lenders": lenders,
    }  # fmt: skip


def _rings(codes: list[str]) -> dict[str, object]:
    names = ("shared_device", "common_payee", "scatter_gather")
    return {
        "planted": 3, "members": 24, "decoys": 15, "subjects": 9_000, "weeks": 26, "reported": 3,
        "recall": 2 / 3, "precision_at_k": 1.0, "precision_strict": 2 / 3, "member_recall": 0.75,
        "member_recall_sure": 0.625,
        "member_recall_ceiling": 0.875, "member_recall_meeting_floor": 0.8,
        "member_recall_best_single_lender": 0.25, "member_recall_every_lender_alone": 0.5,
        "innocents_per_1000": 0.333, "innocents_per_1000_sure": 0.111,
        "invisible_to_single": 1 / 3, "recall_of_invisible": 1.0,
        "recall_any_single_lender": None,
        "by_typology": {
            name: {"rings": 1, "members": 8, "recall": at / 2, "member_recall": 0.5 + at / 4}
            for at, name in enumerate(names)
        },
        "by_decoy": {"family": {"groups": 10, "people": 31, "flagged": 2}},
        "weeks_to_detect": {"median": 2.0, "nine_in_ten": 5.0, "never": 1, "by_week": [0.5, 0.6]},
        "ablation": {
            "device": {"recall": 1 / 3, "member_recall": 0.5, "innocents_per_1000": 0.1}
        },
        "lenders": [
            {
                "code": code, "customers": 900, "members": 8, "alone": i % 3, "together": 6,
                "innocent_alone": i % 2, "innocent_together": 1,
            }
            for i, code in enumerate(codes)
        ],
        "drawn": {
            "typology": "shared_device", "invisible": True,
            "members": [
                {"lender": codes[at % len(codes)], "flagged": at != 2} for at in range(4)
            ],
            "things": ["device", "bank_card/payee"],
            "edges": [[0, 0], [1, 0], [2, 1], [3, 1], [0, 1]],
        },
        "measured": {"cpu": 12.5},
    }  # fmt: skip


def _curves(rng: np.random.Generator) -> dict[str, object]:
    x = np.linspace(0, 1, 501)
    power = {"shared": 0.217, "personal": 0.212, "lightgbm": 0.2155, "local": 0.267}
    roc = {name: [[float(a), float(a**p)] for a in x] for name, p in power.items()}
    score = np.arange(300, 851, 2)
    good = 1 / (1 + np.exp(-(score - 640) / 35))
    bad = 1 / (1 + np.exp(-(score - 565) / 35))
    at = int(np.argmax(bad - good))
    population = np.linspace(0, 1, 101)
    gain = {name: (population ** (p * 1.6)).tolist() for name, p in power.items()}
    predicted = np.linspace(0.02, 0.62, 10)
    observed = np.clip(predicted + rng.normal(0, 0.012, 10), 0, 1)
    return {
        "learning": [
            {"round": r, "auc": 0.8217 - 0.12 * float(np.exp(-r / 11))} for r in range(1, 61)
        ],
        "roc": roc,
        "ks": {
            "score": score.tolist(), "good": good.tolist(), "bad": bad.tolist(),
            "ks": float((bad - good)[at]), "at": int(score[at]),
        },
        "cutoffs": [
            {"score": s, "approved": a, "bad_rate": 0.31 * a, "bad_declined": 1 - a * a}
            for s, a in ((690, 0.2), (640, 0.4), (600, 0.6), (560, 0.8))
        ],
        "gain": {"population": population.tolist(), **gain},
        "calibration": [
            {"predicted": float(p), "observed": float(o), "rows": int(900 - 80 * i)}
            for i, (p, o) in enumerate(zip(predicted, observed, strict=True))
        ],
    }  # fmt: skip


def _feature(rng: np.random.Generator, name: str) -> dict[str, object]:
    bins = int(rng.integers(4, 22))
    share = rng.dirichlet(np.full(bins, 6.0))
    slope = rng.normal(0, 0.8)
    good_share = share * np.exp(slope * np.linspace(-0.5, 0.5, bins))
    good_share /= good_share.sum()
    woe = np.log(good_share / share)
    category = name in ("industry", "state", "home_ownership")
    labels = [
        f"Category number {i} with a long name" if category else f"{i * 10:,} – {i * 10 + 10:,}"
        for i in range(bins)
    ]
    labels[-1] = "missing"
    return {
        "feature": name,
        "unit": "" if category else "months",
        "iv": float(((good_share - share) * woe).sum()),
        "bins": [
            {"label": a, "good": round(g * 20_000), "bad": round(b * 5_000), "woe": float(w)}
            for a, g, b, w in zip(labels, good_share, share, woe, strict=True)
        ],
    }


def _psi(rng: np.random.Generator, names: list[str], lenders: int) -> list[dict[str, object]]:
    return [
        {"name": name, "values": [float(v) for v in rng.exponential(0.08, lenders)]}
        for name in names
    ]


def _stages() -> list[dict[str, object]]:
    rounds = [{"stage": f"round/{i}", "messages": 1, "bytes": 38_400} for i in range(60)]
    fixed = (("keys", 2, 9_100), ("census", 3, 88_000), ("bins", 4, 31_200), ("measure", 6, 24_000))
    return [{"stage": s, "messages": m, "bytes": b} for s, m, b in fixed] + rounds


def _sweep(rng: np.random.Generator, people: list[dict[str, object]]) -> dict[str, object]:
    keys = ("code", "auc_local", "auc_shared", "auc_personal", "gain")
    spread = [None if p["gain"] is None else float(abs(rng.normal(0.01, 0.004))) for p in people]
    pooled = {"auc_shared": 0.8211, "auc_personal": 0.8248, "auc_lightgbm": 0.8224}
    return {
        "seeds": [0, 1, 2],
        "mean": {"pooled": pooled},
        "sd": {"pooled": dict.fromkeys(pooled, 0.004)},
        "lenders": [
            {**{k: p[k] for k in keys}, "gain_sd": s} for p, s in zip(people, spread, strict=True)
        ],
    }
