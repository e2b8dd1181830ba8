"""The same counts by plain loops over plain rows: slow, obvious, written without columns."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from itertools import pairwise

from shared.borrowing.events import Events
from shared.borrowing.terms import CLASSES, LenderClass

_WINDOWS = {"d7": 7, "d15": 15, "m1": 30, "m3": 90, "m6": 180, "m12": 365}
_SHORT = list(_WINDOWS)[:5]
Row = dict[str, int]


def rows_of(events: Events) -> list[Row]:
    return [
        {name: int(getattr(events, name)[at]) for name in Events.__slots__}
        for at in range(len(events))
    ]


def naive_tally(
    events: Events, subject: int, day: int, asker: int, classes: Iterable[int]
) -> dict[str, int] | None:
    """Exact values by cell's name; None where nobody else has anything in term."""
    of = [LenderClass(one) for one in classes]
    mine = [r for r in rows_of(events) if r["subject"] == subject and r["lender"] != asker]
    asks = [r for r in _earliest(mine, 0) if 1 <= day - r["day"] <= 180]
    held = []
    for loan in _earliest(mine, 1):
        ends = [c["day"] for c in mine if c["kind"] == 2 and _name(c) == _name(loan)]
        over = day - min(ends) if ends else 0
        age = day - loan["day"]
        if age >= 1 and ((over < 1 and age <= 1826) or 1 <= over <= 180):
            held.append(loan | {"open": int(over < 1)})
    if not asks and not held:
        return None
    out: dict[str, int] = {}
    for what, rows, windows in (("app", asks, _SHORT), ("loan", held, list(_WINDOWS))):
        for window in windows:
            near = [r for r in rows if day - r["day"] <= _WINDOWS[window]]
            for name in CLASSES:
                some = [r for r in near if _is(name)(of[r["lender"]])]
                out[f"{what}_orgnum_{window}_{name}"] = len({r["lender"] for r in some})
                out[f"{what}_allnum_{window}_{name}"] = len(some)
    for name in CLASSES:
        some = [r for r in held if r["open"] and _is(name)(of[r["lender"]])]
        out[f"open_orgnum_{name}"] = len({r["lender"] for r in some})
        out[f"open_allnum_{name}"] = len(some)
    for window in _SHORT:
        near = [r for r in asks if day - r["day"] <= _WINDOWS[window]]
        for name, bit in (("night", 1), ("weekend", 2)):
            out[f"app_{name}_orgnum_{window}"] = len({r["lender"] for r in near if r["bits"] & bit})
        ages = sorted(day - r["day"] for r in near)
        gaps = [older - newer for newer, older in pairwise(ages)]
        out[f"app_min_interval_{window}"] = min(gaps, default=-1)
        out[f"app_max_interval_{window}"] = max(gaps, default=-1)
        far = sum(of[r["lender"]] != LenderClass.BANK for r in near)
        share = -1 if not near else (1000 * far + len(near) - 1) // len(near)
        out[f"app_nonbank_share_{window}"] = share
    for window, days in _WINDOWS.items():
        out[f"loan_amount_{window}"] = max(
            (r["band"] for r in held if day - r["day"] <= days), default=-1
        )
    busy = {(day - r["day"] - 1) // 30 for r in asks}
    out["app_months"] = next(month for month in range(7) if month not in busy)
    out["app_days_since"] = min((day - r["day"] for r in asks), default=-1)
    out["loan_days_since"] = min((day - r["day"] for r in held), default=-1)
    return out


def naive_band(scale: str, value: int) -> int:
    """Bands as the documentation words them."""
    if value < 0:
        return value
    match scale:
        case "count":
            return value if value < 3 else 3 if value < 5 else 4 if value < 8 else 5
        case "days":
            return sum(value > edge for edge in (7, 15, 30, 90, 180))
        case "share":
            return 0 if not value else 1 + sum(value > e for e in (250, 500, 750)) + (value == 1000)
    return value


def _earliest(rows: list[Row], kind: int) -> list[Row]:
    found: dict[tuple[int, int], Row] = {}
    for row in rows:
        if row["kind"] == kind:
            best = found.setdefault(_name(row), row)
            if (row["day"], row["bits"], row["band"]) < (best["day"], best["bits"], best["band"]):
                found[_name(row)] = row
    return list(found.values())


def _name(row: Row) -> tuple[int, int]:
    return row["lender"], row["reference"]


def _is(asked: str) -> Callable[[LenderClass], bool]:
    if asked == "all":
        return lambda of: True
    if asked == "nbank":
        return lambda of: of is not LenderClass.BANK
    return lambda of: of is LenderClass[asked.upper()]
