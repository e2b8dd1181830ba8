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
}


@app.main()
def main(grid: Grid, context: Context) -> None:
    """Conduct the run whose folder the run configuration names."""
    from server.coordinator.exchange import Policy
    from server.coordinator.rounds import conduct, read_agreement

    asked = {
        name: str(context.run_config.get(name) or os.environ.get(variable, ""))
        for name, variable in VARIABLES.items()
    }
    folder = Path(asked["run-directory"] or "run")
    policy = Policy(
        read_agreement(folder).minimum_lenders,
        patience=float(asked["patience"] or 0) or Policy.patience,
        deadline=float(asked["deadline"] or 0) or Policy.deadline,
    )
    conduct(grid, folder, policy, resume=asked["resume"] in ("1", "True"))
