"""A round from RoundOpen to the total: exact sums of the survivors, whoever drops out and when."""

import numpy as np
import pytest

from shared.errors import PeerError
from tests.shared.secure_sum.federation import Federation, payload, vectors_of


@pytest.mark.parametrize("lenders", [3, 4, 5, 12, 20])
def test_the_total_is_the_sum_of_all(lenders: int) -> None:
    """Without drop-outs, for small and larger consortia."""
    federation = Federation(lenders)
    set_up = federation.set_up()
    vectors = vectors_of(federation.codes, 50)
    opened = federation.open(set_up, 0, payload(0, 50))
    opening = federation.opened(set_up, federation.collected(set_up, opened, vectors))
    np.testing.assert_array_equal(opening.total(), sum(vectors.values()))


def test_lenders_that_drop_out_before_their_masked_input_are_not_in_the_total() -> None:
    """Three of twelve: first, middle and last, so that both signs are removed."""
    federation = Federation(12)
    set_up, gone = federation.set_up(), {"L01", "L06", "L12"}
    vectors = {c: v for c, v in vectors_of(federation.codes, 50).items() if c not in gone}
    opened = federation.open(set_up, 0, payload(0, 50))
    opening = federation.opened(set_up, federation.collected(set_up, opened, vectors))
    np.testing.assert_array_equal(opening.total(), sum(vectors.values()))


def test_lenders_that_drop_out_after_their_masked_input_are_in_the_total() -> None:
    """Any threshold of answers opens it; one fewer opens nothing."""
    federation = Federation(12)
    set_up, vectors = federation.set_up(), vectors_of(federation.codes, 50)
    closed = federation.collected(set_up, federation.open(set_up, 0, payload(0, 50)), vectors)
    with pytest.raises(PeerError, match="8 lenders answered, 9 are needed"):
        federation.opened(set_up, closed, federation.codes[:8]).total()
    opening = federation.opened(set_up, closed, federation.codes[3:])
    np.testing.assert_array_equal(opening.total(), sum(vectors.values()))


def test_several_rounds_of_one_set_up_with_lenders_leaving_and_coming_back() -> None:
    """Each total is that of its own survivors."""
    federation = Federation(6)
    set_up = federation.set_up()
    for slot, gone in enumerate([None, "L02", None, "L06", "L01", None]):
        codes = [code for code in federation.codes if code != gone]
        vectors = vectors_of(codes, 20, seed=slot)
        opened = federation.open(set_up, slot, payload(slot, 20))
        opening = federation.opened(set_up, federation.collected(set_up, opened, vectors))
        np.testing.assert_array_equal(opening.total(), sum(vectors.values()))


def test_a_lender_that_restarts_between_all_steps_goes_on_from_its_disk() -> None:
    """The whole state is in vault and journal."""
    federation = Federation(4)
    under_way = federation.under_way()

    def restarted() -> dict:
        return {code: federation.side(code) for code in federation.codes}

    for side in restarted().values():
        under_way.take_keys(side.keys(under_way.opened))
    roll = under_way.close_keys()
    for side in restarted().values():
        under_way.take_shares(side.shares(roll))
    for code, side in restarted().items():
        under_way.take_ready(side.ready(under_way.delivery(code)))
    set_up, vectors = under_way.finished(), vectors_of(federation.codes, 9)
    opened = federation.open(set_up, 0, payload(0, 9))
    federation.sides = restarted()
    closed = federation.collected(set_up, opened, vectors)
    federation.sides = restarted()
    again = federation.collected(set_up, opened, vectors)
    np.testing.assert_array_equal(closed.masked, again.masked)
    federation.sides = restarted()
    opening = federation.opened(set_up, closed)
    np.testing.assert_array_equal(opening.total(), sum(vectors.values()))
    federation.sides = restarted()
    assert federation.opened(set_up, closed).agreed == opening.agreed
