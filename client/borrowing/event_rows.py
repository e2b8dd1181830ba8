"""Events of a file under tokens: a row for each identifier of each event.

Invariants:
- Identifiers leave blinded only, to the key holders, and not at all where a token is cached.
- A reference is made of the lender's own number with a secret that never leaves.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from client.borrowing.events_file import Told
from client.exchange.own_tokens import OwnTokens
from client.exchange.parties import Progress
from client.exchange.secret import Secret
from shared.borrowing.event_row import ROW, Rows
from shared.borrowing.rows import ledger_of
from shared.borrowing.tokens import subject_tokens

PURPOSE = "ring"
"""Of the key holders' quota: one evaluation serves rings and borrowing."""


def rows_of(
    events: Sequence[Told],
    epoch: int,
    tokens: OwnTokens,
    context: str,
    secret: Secret,
    progress: Progress,
) -> Rows:
    """(n,) rows; OperatorError where key holders cannot be asked."""
    pairs = [(event, kind, one) for event in events for kind, one in event.identifiers]
    distinct = list(dict.fromkeys(one for _, _, one in pairs))
    outputs = tokens.outputs(distinct, epoch, PURPOSE, progress)
    subjects = subject_tokens(ledger_of(context, epoch), outputs)
    place = {one: at for at, one in enumerate(distinct)}
    rows = np.zeros(len(pairs), ROW)
    for row, (event, kind, one) in zip(rows, pairs, strict=True):
        reference = secret.derived(b"borrowing-reference", event.reference.encode())[:16]
        row["subject"] = subjects[place[one]]
        row["reference"] = np.frombuffer(reference, np.uint8)
        row["day"], row["kind"], row["id_kind"] = event.day.toordinal(), event.kind, kind
        row["bits"], row["band"] = event.bits, event.band
    return rows
