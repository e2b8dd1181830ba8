"""What every test shares: one thread for torch, no deadline of hypothesis, a disk at once."""

import gc
import os
import warnings
from collections.abc import Iterator

os.environ.setdefault("FLWR_TELEMETRY_ENABLED", "0")
os.environ.setdefault("OMP_NUM_THREADS", "1")
# A process forked by a test that has used gRPC before it would take over gRPC's threads and fail.
os.environ.setdefault("GRPC_ENABLE_FORK_SUPPORT", "false")

import pytest
import torch
from hypothesis import HealthCheck, settings

with warnings.catch_warnings():  # what its dependencies find deprecated in each other is not ours
    warnings.simplefilter("ignore", DeprecationWarning)
    import flwr.app  # noqa: F401

from tests.list_databases import list_url, postgresql, sqlite_template  # noqa: F401

# Reading tests makes many objects and lets few go: looking for cycles was a third of that time.
gc.set_threshold(50_000, 20, 20)
torch.set_num_threads(1)
# Machines are shared and slow at times: a slow example is not a wrong one.
settings.register_profile(
    "lianfang", deadline=None, suppress_health_check=[HealthCheck.too_slow], derandomize=True
)
settings.load_profile("lianfang")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The longest first: at the end of a run no worker should be busy with one alone. Those of real
    processes, which wait much, are the first worker's, all others the last one's.
    """
    slow = [item for item in items if item.get_closest_marker("slow")]
    waiting = [item for item in slow if "deployment" in item.path.parts]
    busy = [item for item in slow if item not in waiting]
    others = [item for item in items if item not in slow]
    workers = int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1"))
    last = len(items) - -(-len(items) // workers)
    before = max(0, last - len(waiting))
    items[:] = [*waiting, *others[:before], *busy, *others[before:]]


@pytest.fixture(scope="session", autouse=True)
def _nothing_is_waited_for_on_the_disk() -> Iterator[None]:
    """No test cuts the power: files are written and ordered as ever, but nobody waits for the disk.

    A test that watches or breaks fsync or fdatasync puts its own in place.
    """
    with pytest.MonkeyPatch.context() as patch:
        for name in ("fsync", "fdatasync"):
            patch.setattr(os, name, lambda handle: None)
        yield
