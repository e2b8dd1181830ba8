"""How large messages are at most: one place for who sends, who passes on and who takes them.

Invariants:
- What a lender may send under `MOST_VALUES` arrives: gate and coordinator take `MOST_REPLY` bytes.
- No run is started that could ask for a longer answer (`shared/training/longest.py`).
"""

MOST_BYTES = 64 << 20
"""Of one vector as it travels."""
MOST_VALUES = (MOST_BYTES - 1024) // 4
"""32-bit numbers of one vector, with room for their header."""
MOST_STATEMENT = 4 << 20
"""Bytes of a statement."""
MOST_REPLY = MOST_BYTES + 2 * MOST_STATEMENT
"""Bytes of a whole reply as it travels: its vector, its statement, and what describes them."""
MOST_PARTS = 64
"""Of one message: its vector in pieces (of 5 MB, as Flower cuts them), and what describes them."""
MOST_SMALL = 64 << 10
"""Bytes of whatever only describes or asks: a part that is no vector and no statement, a call of a
node's that carries no part.
"""
