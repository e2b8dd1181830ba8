"""The coordinator's processes: Flower's SuperLink on loopback, and the one door that lenders have.

    lenders ══ mutual TLS ══► gate ── loopback TLS ──► SuperLink ◄── run executor ─► run's process
                                                          ▲
                                        operator's own commands (secret header)

Everything but the gate and the enrolment endpoint listens on 127.0.0.1 only. What of Flower's inner
parts is used, and is checked at start-up: `flower.py`.
"""
