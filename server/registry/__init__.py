"""The registry: stores tokens and sealed entries, serves signed versions of the list.

    lender ─ Submit(event) ► check signer and rules ► one transaction: log + projections ► receipt
    clock ─ tick ► expiries, overdue disputes, erasure ► publish: rows sorted by tag, checkpoint
    member ─ Delta / Snapshot ► checkpoints and pages

Invariants:
- It learns no identifier: it stores tags and records it cannot open.
- Nothing is acknowledged before it is durable, and nothing is taken twice.
- What lies in the database is what the log's events give, or nothing is served.
- It is never one process or folder with a key share, outside the demo (`server.apart`).
"""
