"""Flower's ServerApp at the coordinator: unpack, call one function.

Run configuration: `run-directory`; `resume`; `patience` and `deadline`, in seconds (0: as usual).
A run that has none (simulation with Ray) takes the same from environment variables.
"""

import os
from pathlib import Path

from flwr.app import Context
from flwr.serverapp import Grid, ServerApp

app = ServerApp()

VARIABLES = {
    "run-directory": "LIANFANG_RUN",
    "resume": "LIANFANG_RESUME",
    "patience": "LIANFANG_PATIENCE",
    "deadline": "LIANFANG_DEADLINE",
    "soonest-again": "LIANFANG_SOONEST_AGAIN",
}


@app.main()
def main(grid: Grid, context: Context) -> None:
    """Conduct the run whose folder the run configuration names."""
    from server.consortium.lapsed import why_shut_out
    from server.coordinator.attempt import attempt

    asked = {
        name: str(context.run_config.get(name) or os.environ.get(variable, ""))
        for name, variable in VARIABLES.items()
    }
    folder = Path(asked["run-directory"] or "run")
    attempt(
        grid,
        folder,
        resume=asked["resume"] in ("1", "True"),
        patience=float(asked["patience"] or 0),
        deadline=float(asked["deadline"] or 0),
        soonest_again=float(asked["soonest-again"] or 0),
        flower_run=context.run_id,
        shut_out=why_shut_out(folder.parent.parent),  # FOLDER/runs/NAME
    )
