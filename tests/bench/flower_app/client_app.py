"""A lender of plain averaging: one pass over as many rows, with the network that ours trains."""

import torch
from flwr.app import ArrayRecord, Context, Message, MetricRecord, RecordDict
from flwr.clientapp import ClientApp
from torch.nn.functional import binary_cross_entropy_with_logits

from shared.model.network import Network

app = ClientApp()
BATCH = 128


@app.train()
def train(message: Message, context: Context) -> Message:
    torch.set_num_threads(1)
    config = message.content["config"]
    features, rows = int(config["features"]), int(config["rows"])
    generator = torch.Generator().manual_seed(int(context.node_config["partition-id"]))
    x = torch.rand(rows, features, generator=generator)
    target = (x[:, 0] > 0.5).float()
    network = Network(features, seed=0)
    network.load_state_dict(message.content["arrays"].to_torch_state_dict())
    optimiser = torch.optim.AdamW(network.parameters())
    for index in torch.randperm(rows, generator=generator).split(BATCH):
        optimiser.zero_grad()
        logits = network(x[index])
        loss = binary_cross_entropy_with_logits(logits, target[index, None].expand_as(logits))
        loss.backward()
        optimiser.step()
    reply = RecordDict(
        {
            "arrays": ArrayRecord(network.state_dict()),
            "metrics": MetricRecord({"num-examples": rows}),
        }
    )
    return Message(reply, reply_to=message)
