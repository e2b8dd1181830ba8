"""Flower's ServerApp at the coordinator: unpack, call one function."""

import os
from pathlib import Path

from flwr.app import Context
from flwr.serverapp import Grid, ServerApp

app = ServerApp()

FOLDER_VARIABLE = "LIANFANG_RUN"
"""Names the run's folder where a run has no configuration of its own (simulation with Ray)."""


@app.main()
def main(grid: Grid, context: Context) -> None:
    """Conduct the run whose folder the run configuration names."""
    from server.coordinator.exchange import Policy
    from server.coordinator.rounds import conduct, read_agreement

    config = context.run_config
    folder = Path(str(config.get("run-directory") or os.environ.get(FOLDER_VARIABLE, "run")))
    resume = bool(config.get("resume")) or os.environ.get("LIANFANG_RESUME") == "1"
    conduct(grid, folder, Policy(read_agreement(folder).minimum_lenders), resume=resume)
