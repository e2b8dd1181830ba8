"""Flower's ClientApp at a lender: unpack, call one function, pack."""

from flwr.app import Context, Message
from flwr.clientapp import ClientApp

from client.desk import answer

app = ClientApp()


@app.query("answer")
def on_question(message: Message, context: Context) -> Message:
    """Answer one question of a run."""
    return Message(answer(message.content, context), reply_to=message)
