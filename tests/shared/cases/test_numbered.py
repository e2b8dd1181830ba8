"""Rows of bytes are numbered in their order, however alike they begin."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.cases.numbered import numbered

BEGINNINGS = st.sampled_from([bytes(8), bytes(7) + b"\1", b"\xff" * 8, b"\1" + bytes(7)])
TOKENS = st.builds(bytes.__add__, BEGINNINGS, st.sampled_from([bytes(4), b"\0\0\0\1", b"\x80" * 4]))


@settings(max_examples=60)
@given(st.lists(TOKENS, max_size=12))
def test_numbers_are_those_of_sorted_values(tokens: list[bytes]) -> None:
    """Also of tokens that somebody made up to begin alike, and of none at all."""
    rows = np.frombuffer(b"".join(tokens), np.uint8).reshape(-1, 12)
    found, number = numbered(rows)
    assert [one.tobytes() for one in found] == sorted(set(tokens))
    assert [found[one].tobytes() for one in number] == tokens


def test_made_up_tokens_would_be_taken_for_one_by_their_beginnings() -> None:
    """Control: two values of one beginning, which by that beginning alone are one."""
    rows = np.zeros((2, 32), np.uint8)
    rows[1, 31] = 1
    assert len(numbered(rows[:, :8])[0]) == 1
    assert len(numbered(rows)[0]) == 2
