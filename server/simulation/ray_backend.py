"""The same ServerApp and ClientApp under Flower's own simulation engine (Ray).

Flower's simulation passes no configuration of its own, so environment variables do: Ray's workers
find their lender's folder by partition number, the coordinator what a run configuration would say.
"""

from __future__ import annotations

import os
import warnings
from collections.abc import Mapping
from pathlib import Path

from flwr.clientapp import ClientApp
from flwr.serverapp import ServerApp

from server.app import VARIABLES
from shared.errors import OperatorError


def run_with_ray(
    server_app: ServerApp,
    client_app: ClientApp,
    lenders: Path,
    count: int,
    settings: Mapping[str, str | bool | float],
) -> None:
    """Run to the end on this machine's cores; OperatorError when Ray is not installed.

    `settings`: the run configuration, as `server.app` reads it.
    """
    os.environ.update(FLWR_TELEMETRY_ENABLED="0", RAY_USAGE_STATS_ENABLED="0")
    try:
        import ray  # noqa: F401
        from flwr.simulation import run_simulation
    except ImportError as error:
        raise OperatorError(
            "the ray backend needs Flower's simulation engine",
            remedy="pip install 'lianfang[ray]', or use --backend inprocess",
        ) from error
    told = {VARIABLES[name]: str(value) for name, value in settings.items()}
    told["LIANFANG_RUN"] = str(Path(told["LIANFANG_RUN"]).resolve())
    told["LIANFANG_LENDERS"] = str(lenders.resolve())
    os.environ.update(told)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # run_simulation is deprecated: `flwr run` is to be
            run_simulation(
                server_app=server_app,
                client_app=client_app,
                num_supernodes=count,
                backend_config={"client_resources": {"num_cpus": 1, "num_gpus": 0.0}},
            )
    finally:
        for name in told:
            del os.environ[name]
