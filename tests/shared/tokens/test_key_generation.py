"""Key ceremonies between honest holders, step by step."""

import itertools
from dataclasses import replace
from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.errors import PeerError
from shared.secure_sum.encoding import text_of
from shared.tokens.ceremony_checks import WrongMoveError
from shared.tokens.epochs import check_follows, check_may_sign, is_leap, may_retire
from shared.tokens.group import ORDER, scalars_of
from shared.tokens.key_generation import Progress
from shared.tokens.sharing import lagrange
from shared.tokens.signed_keys import check_signed, read_signed
from tests.dealt_keys import combine
from tests.shared.tokens.ceremony import GROUP, TRUST, Consortium


def secrets(shares):
    return {share.index: share.secret for share in shares.values()}


DEALT = secrets(Consortium(3, 5).run()[0])


@pytest.mark.parametrize(("threshold", "count"), [(2, 3), (3, 5), (2, 2)])
def test_any_quorum_has_the_key_of_the_public_key(threshold, count):
    """All quorums' shares interpolate to one secret, whose public key is in the signed key set."""
    shares, signed = Consortium(threshold, count).run()
    found = {
        combine({index: secrets(shares)[index] for index in quorum})
        for quorum in itertools.combinations(range(1, count + 1), threshold)
    }
    assert len(found) == 1
    assert GROUP.multiply_base(scalars_of(found)).tobytes() == signed.keys.public


@given(claimed=st.integers(min_value=0, max_value=ORDER - 1))
def test_too_few_shares_fit_any_secret(claimed):
    """For t - 1 shares and any claimed key there is a share of another holder that fits: they tell
    nothing.
    """
    known, quorum = {1: DEALT[1], 4: DEALT[4]}, (1, 2, 4)
    rest = claimed - sum(lagrange(i, quorum) * known[i] for i in known)
    fitting = rest * pow(lagrange(2, quorum), -1, ORDER) % ORDER
    assert combine({**known, 2: fitting}) == claimed


def test_enough_shares_fit_one_secret():
    """Control: any t shares fit the same key only."""
    assert combine({i: DEALT[i] for i in (1, 2, 4)}) == combine({i: DEALT[i] for i in (2, 3, 5)})


def test_a_renewal_keeps_the_key_and_changes_every_share():
    """Same public key, generation up, all shares different, and old ones useless with new ones."""
    consortium = Consortium(2, 3)
    before, first = consortium.run()
    after, second = consortium.run(before)
    assert second.keys.public == first.keys.public
    assert second.keys.generation == first.keys.generation + 1
    assert all(after[code].secret != before[code].secret for code in before)
    key = combine({i: secrets(before)[i] for i in (1, 2)})
    assert combine({i: secrets(after)[i] for i in (1, 2)}) == key
    assert combine({1: secrets(before)[1], 2: secrets(after)[2]}) != key


def test_a_holder_says_the_same_again_and_nothing_else():
    """Repeated questions get the same statements; other promises after the first are one error."""
    consortium = Consortium()
    opening = consortium.opening()
    promises = consortium.promises(opening)
    dealings = consortium.dealings(promises)
    assert consortium.dealings(promises) == dealings
    other = Consortium().promises(consortium.opening(nonce="other"))
    with pytest.raises(WrongMoveError, match="other promises"):
        consortium.dealings(other)
    shares, said = consortium.confirmations(dealings)
    assert consortium.confirmations(dealings) == (shares, said)
    with pytest.raises(WrongMoveError, match="other dealings"):
        consortium.confirm("H1", dealings[::-1])


def test_no_step_is_skipped():
    """Confirming before dealing is the same named error."""
    consortium = Consortium()
    dealings = consortium.dealings(consortium.promises(consortium.opening()))
    side, opening = consortium.sides["H1"], consortium.opening()
    with pytest.raises(WrongMoveError, match="opened does not confirm"):
        side.confirm(Progress(opening), dealings, consortium.seed("H1", opening), None)


def test_keys_are_nobodys_until_all_signed():
    """A signed key set with one signature short, swapped or of other keys is refused."""
    consortium = Consortium()
    shares, signed = consortium.run()
    check_signed(signed, TRUST)
    a, b, c = signed.signatures
    for signatures in ((a, b), (a, b, b), (b, a, c), (a, b, bytes(64))):
        with pytest.raises(PeerError):
            consortium.sides["H1"].activate(shares["H1"], replace(signed, signatures=signatures))
    other = replace(signed.keys, generation=9)
    with pytest.raises(PeerError):
        check_signed(replace(signed, keys=other), TRUST)


def test_one_identity_is_not_two_holders():
    """The same certificate under two places is refused."""
    _, signed = Consortium().run()
    first = signed.certificates[0]
    twice = replace(signed, certificates=(first, first, signed.certificates[2]))
    with pytest.raises(PeerError, match="stands where"):
        check_signed(twice, TRUST)


def test_signed_keys_that_cannot_be_are_the_peers_fault():
    """A threshold of zero, in good form, is a PeerError and no error of ours."""
    _, signed = Consortium().run()
    text = text_of(signed)
    assert read_signed(text) == signed
    with pytest.raises(PeerError):
        read_signed(text.replace(b'"threshold":2', b'"threshold":0'))


@pytest.mark.parametrize(
    "change",
    [
        {"threshold": 3},
        {"context": "another"},
        {"holders": ("H1", "H2")},
        {"nonce": b"short"},
        {"epoch": 0},
        {"generation": 2},
    ],
)
def test_a_holder_opens_only_what_its_operator_agreed_to(change):
    """Other terms, or numbers that cannot be, are refused before anything is drawn."""
    consortium = Consortium()
    with pytest.raises(PeerError):
        consortium.promises(replace(consortium.opening(), **change))


def test_a_renewal_of_other_keys_is_refused():
    """The opening must name the very keys that the holder has its share of."""
    consortium = Consortium()
    shares, _ = consortium.run()
    opening = consortium.opening(shares)
    for change in ({"renews": bytes(32)}, {"epoch": 2}, {"generation": 1}):
        with pytest.raises(PeerError, match="does not fit"):
            consortium.promises(replace(opening, **change), shares)


def test_the_public_key_of_an_epoch_never_changes():
    """Renewals and new epochs may follow; another key in the same epoch, or going back, may not."""
    consortium = Consortium()
    shares, first = consortium.run()
    _, renewed = consortium.run(shares)
    _, other = consortium.run(nonce="another ceremony")
    known = {1: first.keys}
    check_follows(known, first.keys)
    check_follows(known, renewed.keys)
    check_follows(known, replace(other.keys, epoch=2))
    with pytest.raises(PeerError, match="public key of epoch 1"):
        check_follows(known, replace(other.keys, generation=2))
    with pytest.raises(PeerError, match="not after"):
        check_follows({1: renewed.keys}, first.keys)
    with pytest.raises(PeerError, match="key of another epoch"):
        check_follows(known, replace(first.keys, epoch=2))
    with pytest.raises(PeerError, match="another threshold"):
        check_follows(known, replace(renewed.keys, threshold=3))
    with pytest.raises(PeerError, match="another consortium"):
        check_follows(known, replace(other.keys, context="x"))


def test_a_holder_signs_a_number_once():
    """An epoch and generation that were signed are not signed again, used or not."""
    check_may_sign({}, 1, 1, renews=False)
    check_may_sign({1: 1}, 1, 2, renews=True)
    check_may_sign({1: 1}, 2, 1, renews=False)
    for epoch, generation, renews in ((1, 1, False), (1, 1, True), (2, 2, True)):
        with pytest.raises(PeerError):
            check_may_sign({1: 1}, epoch, generation, renews)


@pytest.mark.parametrize("renews", [False, True])
def test_a_holder_follows_no_leap(renews):
    """A hundred after the last it signed, or dealt for, and no further; nor does a lender."""

    def check(number, dealt=0):
        epoch, generation = (3, number) if renews else (number, 1)
        tried = {3: dealt} if renews else {dealt: 1}
        check_may_sign({3: 3}, epoch, generation, renews, tried)

    check(103)
    check(150, dealt=50)
    for number, dealt in ((104, 0), (151, 50), (1_000_000, 50)):
        with pytest.raises(PeerError, match="more than 100 after"):
            check(number, dealt)
    assert [is_leap({3}, epoch) for epoch in (103, 104)] == [False, True]
    assert not is_leap({}, 1_000_000)


def test_an_epoch_retires_after_the_grace_window_of_a_later_one():
    """Not before another is in use, and not before its window is over."""
    since = {1: date(2031, 1, 1), 2: date(2031, 3, 1)}
    assert not may_retire({1: since[1]}, 1, date(2035, 1, 1), 30)
    assert not may_retire(since, 1, date(2031, 3, 30), 30)
    assert may_retire(since, 1, date(2031, 3, 31), 30)
    assert not may_retire(since, 2, date(2035, 1, 1), 30)
