"""What the coordinator's processes use of Flower beyond its public interface, checked at start-up.

Invariants:
- Nothing starts over another version of Flower than the one all of this was tried with.
- Flower's own talk to its makers (telemetry, update checks) and its installing of packages at run
  time are off in every process.

Relied on, all as of 1.41:
    flwr.superlink.cli.flower_superlink   the command; `flwr.superlink.main.create_app`, to which
                                          guard and doorbell are added, and `_get_middleware`,
                                          whose parts are used where they are needed
    SqlCoreState                          how often `_cleanup_expired_task_tokens` writes
    flwr.supercore.control                the Control API's client
    flwr.supercore.runtime                the Runtime API's client and its interceptors
    flwr.superlink.grid.HttpGrid          the grid of a run's process, whose way of fetching replies
                                          is replaced (`patient_grid.py`)
    flwr.proto, flwr.common.serde         messages, runs and contexts on the wire
    flwr.supercore.inflatable             the parts of a message and putting them together
"""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from importlib.metadata import version

from shared.errors import OperatorError

VERSION = "1.41"
ENVIRONMENT: Mapping[str, str] = {
    "FLWR_TELEMETRY_ENABLED": "0",
    "FLWR_DISABLE_UPDATE_CHECK": "1",
    "FLWR_DISABLE_RUNTIME_DEPENDENCY_INSTALLATION": "1",
    "FLWR_LOG_LEVEL": "WARNING",  # at INFO it writes a line for every poll of every node
}
_RUNTIME = {
    "flwr.supercore.runtime": ("RuntimeHttpClient",),
    "flwr.supercore.interceptors": (
        "RuntimeTokenHttpInterceptor",
        "RuntimeVersionHttpInterceptor",
        "SuperExecAuthHttpInterceptor",
    ),
}
PARTS: Mapping[str, Mapping[str, tuple[str, ...]]] = {
    "superlink": {
        "flwr.superlink.cli.flower_superlink": ("flower_superlink", "uvicorn"),
        "flwr.superlink.main": ("create_app", "_get_middleware"),
        "flwr.supercore.corestate.sql_corestate": ("SqlCoreState",),
    },
    "gate": {"flwr.proto.fleet_pb2": ("PushMessagesRequest",)},
    "runs": _RUNTIME
    | {
        "flwr.superlink.grid": ("HttpGrid",),
        "flwr.supercore.inflatable.inflatable_utils": (
            "inflate_object_from_contents",
            "ObjectPushError",
        ),
    },
}
"""By process: what it uses, by module."""


def check_version(found: str | None = None) -> None:
    """OperatorError when Flower's version (of the installed package) is not the one tried."""
    found = found or version("flwr")
    if found.split(".")[:2] != VERSION.split("."):
        raise OperatorError(
            f"Flower {found} is installed; this coordinator was made for {VERSION}",
            remedy=f"pip install 'flwr=={VERSION}.*', or install the version of lianfang that "
            "names yours",
        )


def check_parts(process: str) -> None:
    """OperatorError when a part that this process uses is not there: the package is damaged or
    changed.
    """
    for name, parts in PARTS.get(process, {}).items():
        try:
            module = import_module(name)
        except ImportError as error:
            raise _changed(name) from error
        for part in parts:
            if not hasattr(module, part):
                raise _changed(f"{name}.{part}")


def _changed(what: str) -> OperatorError:
    return OperatorError(
        f"Flower's {what} is not as it was in {VERSION}",
        remedy=f"install flwr {VERSION} again, unchanged: pip install --force-reinstall",
    )
