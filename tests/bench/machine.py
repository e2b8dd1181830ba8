"""What a figure was measured on: sizes and versions, no names."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from importlib.metadata import version
from platform import machine, python_version, system

PACKAGES = ("flwr", "torch", "numpy", "pandas", "lightgbm")


def machine_line() -> str:
    """E.g. `2 cores, 23 GB of memory, Linux x86_64, Python 3.11.9, flwr 1.41.0, …`."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    versions = ", ".join(f"{name} {version(name)}" for name in PACKAGES)
    return (
        f"{os.cpu_count()} cores, {memory:.0f} GB of memory, {system()} {machine()}, "
        f"Python {python_version()}, {versions}"
    )


def today() -> str:
    """Date of measurement, ISO 8601, UTC."""
    return datetime.now(tz=UTC).date().isoformat()


def load_now() -> float:
    """Processes that want a core, a mean over the last five minutes: how busy the machine is."""
    return round(os.getloadavg()[1], 1)
