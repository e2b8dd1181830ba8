"""What a lender's processes use of Flower beyond its public interface, checked at start-up.

Invariants:
- Nothing starts over another version of Flower than the one all of this was tried with.
- Flower's own talk to its makers (telemetry, update checks) and its installing of packages at run
  time are off in every process.

Relied on, all as of 1.41:
    flwr.supernode.cli.flower_supernode        the command; `flwr.supernode.main.create_app`, its
                                               own server, to which the executor's wait is added
    flwr.supernode.start_client_internal       its loop: `time` (its pauses), its connection
                                               (`http_request_response`), what reads a bundle's
                                               configuration (`get_fused_config_from_fab`), its
                                               handing on of replies (`_push_messages`), and how
                                               it leaves a question (`RunNotRunningException`)
    flwr.supernode.runtime.run_clientapp       handing in a reply
    flwr.supernode.fleet_http_connection       the client class it speaks through (and its `_client`
                                               of httpx), to bound what is answered
    flwr.supernode.fleet_http_client           to take back a registration that was left open
    flwr.supercore.runtime, .interceptors      the Runtime API's client
    flwr.supercore.inflatable                  how long it waits for parts of a message (keyword
                                               defaults of its two pulling functions); the tree of
                                               a message's parts, and putting them together
    flwr.proto, flwr.common.serde              messages and contexts on the wire
"""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from importlib.metadata import version

from shared.errors import OperatorError

VERSION = "1.41"
_PULLING = {
    "flwr.supercore.inflatable.inflatable_utils": (
        "pull_objects",
        "pull_and_inflate_object_from_tree",
    )
}
_QUICK = {"initial_backoff": 0.02, "backoff_cap": 0.5, "max_tries_per_object": None}
MOST_MISSING = 8.0
"""Seconds. What the SuperLink still lacks by then never comes: who sent it was killed, and asks
again. It does not bound how long a line may take to carry what is there.
"""
ENVIRONMENT: Mapping[str, str] = {
    "FLWR_TELEMETRY_ENABLED": "0",
    "FLWR_DISABLE_UPDATE_CHECK": "1",
    "FLWR_DISABLE_RUNTIME_DEPENDENCY_INSTALLATION": "1",
    "FLWR_LOG_LEVEL": "WARNING",
}
PARTS: Mapping[str, Mapping[str, tuple[str, ...]]] = {
    "supernode": _PULLING
    | {
        "flwr.supernode.cli.flower_supernode": ("flower_supernode",),
        "flwr.supernode.main": ("create_app",),
        "flwr.supernode.start_client_internal": (
            "time",
            "http_request_response",
            "get_fused_config_from_fab",
            "_push_messages",
            "RunNotRunningException",
        ),
        "flwr.supernode.fleet_http_connection": ("FleetHttpClient",),
        "flwr.supernode.fleet_http_client": ("FleetHttpClient",),
        "flwr.supernode.node_auth_http_interceptor": ("NodeAuthHttpInterceptor",),
    },
    "executor": {
        "flwr.supernode.runtime.run_clientapp": ("push_message", "push_task_output"),
        "flwr.supercore.inflatable.inflatable_utils": (
            "inflate_object_from_contents",
            "ObjectPushError",
        ),
        "flwr.supercore.inflatable.inflatable_object": ("iterate_object_tree",),
        "flwr.supercore.runtime": ("RuntimeHttpClient",),
        "flwr.supercore.interceptors": (
            "RuntimeTokenHttpInterceptor",
            "RuntimeVersionHttpInterceptor",
            "SuperExecAuthHttpInterceptor",
        ),
    },
}
"""By process: what it uses, by module."""


def check_version(found: str | None = None) -> None:
    """OperatorError when Flower's version (of the installed package) is not the one tried."""
    found = found or version("flwr")
    if found.split(".")[:2] != VERSION.split("."):
        raise OperatorError(
            f"Flower {found} is installed; this node was made for {VERSION}",
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


def look_often(most: float = MOST_MISSING) -> None:
    """Look soon again for a part of a message that is still on its way, and for `most` seconds:
    Flower waits a second at first, and minutes for what never comes.
    """
    for name, parts in _PULLING.items():
        for part in parts:
            getattr(import_module(name), part).__kwdefaults__.update(_QUICK, max_time=most)


def _changed(what: str) -> OperatorError:
    return OperatorError(
        f"Flower's {what} is not as it was in {VERSION}",
        remedy=f"install flwr {VERSION} again, unchanged: pip install --force-reinstall",
    )
