"""Plain federated averaging by Flower's defaults; notes the time after each round."""

import time
from pathlib import Path

from flwr.app import ArrayRecord, ConfigRecord, Context, MetricRecord
from flwr.serverapp import Grid, ServerApp
from flwr.serverapp.strategy import FedAvg

from shared.model.network import Network

app = ServerApp()


@app.main()
def main(grid: Grid, context: Context) -> None:
    config = context.run_config
    times = Path(str(config["times"]))

    def noted(number: int, arrays: ArrayRecord) -> MetricRecord | None:
        with times.open("a") as file:
            file.write(f"{time.time()}\n")
        return None

    network = Network(int(config["features"]), seed=0)
    # Our round trains and does not evaluate, so neither does this one.
    strategy = FedAvg(fraction_evaluate=0.0, min_train_nodes=3, min_available_nodes=3)
    about = ConfigRecord({"features": int(config["features"]), "rows": int(config["rows"])})
    strategy.start(
        grid,
        ArrayRecord(network.state_dict()),
        num_rounds=int(config["rounds"]),
        train_config=about,
        evaluate_fn=noted,
    )
