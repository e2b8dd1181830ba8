"""A lender's processes: Flower's SuperNode, the way to the coordinator's gate, and the executor.

    coordinator's gate ◄══ mutual TLS ══ sidecar ◄── loopback TLS ── SuperNode
                                            (in the supervisor)          ▲
    the lender's folder ◄── worker ◄── executor ── loopback TLS ─────────┘

Everything listens on 127.0.0.1 only; the sidecar serves processes of the same user only. Questions
reach the worker as Flower's messages, and nothing else of the coordinator's does.
"""
