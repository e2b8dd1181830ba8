"""A round from RoundOpen to the total: exact sums of the survivors, whoever drops out and when."""

import numpy as np
import pytest

from shared.errors import PeerError
from shared.secure_sum.coordinator_round import Collecting
from tests.shared.secure_sum.federation import Federation, payload, vectors_of
from tests.shared.secure_sum.sm_suite import SmSuite


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


def test_the_state_machines_do_not_care_which_suite_they_have() -> None:
    """SM3 and SM4: two whole rounds, one lender absent from the second, one restarted."""
    federation = Federation(5, suite=SmSuite(), slots=2)
    set_up = federation.set_up()
    for slot, gone in enumerate([None, "L02"]):
        vectors = vectors_of([c for c in federation.codes if c != gone], 30, seed=slot)
        opened = federation.open(set_up, slot, payload(slot, 30))
        closed = federation.collected(set_up, opened, vectors)
        federation.sides["L03"] = federation.side("L03")
        np.testing.assert_array_equal(
            federation.opened(set_up, closed).total(), sum(vectors.values())
        )
    with pytest.raises(PeerError, match="another cipher suite"):
        Federation(3).sides["L01"].keys(federation.under_way().opened)


def test_a_round_of_no_numbers_has_a_total_of_none() -> None:
    """Length 0 is no special case."""
    federation = Federation(3)
    set_up = federation.set_up()
    opened = federation.open(set_up, 0, payload(0, 0))
    closed = federation.collected(set_up, opened, vectors_of(federation.codes, 0))
    assert federation.opened(set_up, closed).total().shape == (0,)


def test_sums_at_the_edges_of_the_bits_are_exact() -> None:
    """The largest and the smallest numbers of all lenders together fit the ring."""
    for lenders in (3, 4, 5):
        federation = Federation(lenders)
        set_up = federation.set_up()
        opened = federation.open(set_up, 0, payload(0, 2))
        edge = 2 ** (opened.bits - 1)
        vectors = {code: np.array([edge - 1, -edge]) for code in federation.codes}
        total = federation.opened(set_up, federation.collected(set_up, opened, vectors)).total()
        np.testing.assert_array_equal(total, [lenders * (edge - 1), -lenders * edge])


def test_a_masked_input_that_comes_late_is_not_in_the_sum() -> None:
    """The survivors are settled: the late one is refused, twice the same is not."""
    federation = Federation(4)
    set_up, vectors = federation.set_up(), vectors_of(federation.codes, 5)
    opened = federation.open(set_up, 0, payload(0, 5))
    collecting = Collecting(federation.suite, federation.coordinator, set_up, opened)
    given = {
        code: federation.sides[code].mask(opened, opened.payload, vector, purpose="a test")
        for code, vector in vectors.items()
    }
    for code in ("L01", "L02", "L03", "L01"):
        collecting.take_masked(given[code])
    closed = collecting.close()
    collecting.take_masked(given["L01"])
    with pytest.raises(PeerError, match="settled"):
        collecting.take_masked(given["L04"])
    del vectors["L04"]
    np.testing.assert_array_equal(federation.opened(set_up, closed).total(), sum(vectors.values()))
    assert collecting.close().survivors == closed.survivors
