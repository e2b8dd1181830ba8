"""Cheating dealers, relays and complainers: each ends the ceremony and is named; controls show what
the checks are there for.
"""

from dataclasses import replace

import pytest

from shared.errors import PeerError
from shared.tokens import dealing as dealing_module
from shared.tokens.ceremony_statements import Complaint, Dealing, Promise, promise_of, signed
from shared.tokens.dealing import _challenge, secrets_of, transcript_of
from shared.tokens.group import points_of, scalars_of
from shared.tokens.key_generation import CeremonyEndedError
from shared.tokens.signed_keys import gathered
from tests.dealt_keys import combine
from tests.identities import identity_under
from tests.shared.tokens.ceremony import AUTHORITY, GROUP, Consortium, seed_of

CHEAT = "H2"


def ceremony_with(change, threshold=2, count=3, renew=False):
    """A ceremony whose H2 deals what `change(consortium, opening, honest dealing)` gives; H2
    promises it as well, so that only its content is wrong.
    """
    consortium = Consortium(threshold, count)
    renewed = consortium.run()[0] if renew else None
    opening = consortium.opening(renewed, "cheat")
    honest = consortium.promises(opening, renewed)
    place = consortium.codes.index(CHEAT)
    part = dealing_module.commit(
        GROUP, opening, CHEAT, secrets_of(opening, consortium.seed(CHEAT, opening))
    )
    wrong = change(consortium, opening, part)
    promised = promise_of(opening.name, CHEAT, wrong.commitments, wrong.proof)
    bad = consortium.sign(replace(honest[place], promise=promised))
    promises = (*honest[:place], bad, *honest[place + 1 :])
    dealings = []
    for code in consortium.codes:
        side, seed = consortium.sides[code], consortium.seed(code, opening)
        if code == CHEAT:
            _, own = side.deal(consortium.progress[code], honest, seed)
            boxes = dealing_module.seal_shares(opening, CHEAT, secrets_of(opening, seed), promises)
            names = tuple(map(dealing_module.digest_of, promises))
            said = replace(own, promises=names, boxes=wrong.boxes or boxes)
            said = replace(said, commitments=wrong.commitments, proof=wrong.proof)
            dealings.append(consortium.sign(said))
        else:
            after, own = side.deal(consortium.progress[code], promises, seed)
            consortium.progress[code] = after
            dealings.append(own)
    return consortium, tuple(dealings), renewed


def ended(consortium, dealings, renewed=None):
    with pytest.raises(CeremonyEndedError) as caught:
        consortium.confirm("H1", dealings, renewed)
    assert caught.value.dealer == CHEAT
    assert CHEAT in str(caught.value)
    return caught.value.complaint


def identity_point(consortium, opening, part):
    return replace(part, commitments=(part.commitments[0], bytes(32)))


def not_a_point(consortium, opening, part):
    return replace(part, commitments=(part.commitments[0], b"\xff" * 32))


def short_point(consortium, opening, part):
    return replace(part, commitments=(part.commitments[0], part.commitments[1][:31]))


def higher_degree(consortium, opening, part):
    return replace(part, commitments=(*part.commitments, part.commitments[0]))


def lower_degree(consortium, opening, part):
    return replace(part, commitments=part.commitments[:1])


def no_proof(consortium, opening, part):
    return replace(part, proof=bytes(64))


def short_proof(consortium, opening, part):
    return replace(part, proof=part.proof[:40])


def copied_constant(consortium, opening, part):
    """H1's constant and proof, under H2's name."""
    seed = consortium.seed("H1", opening)
    other = dealing_module.commit(GROUP, opening, "H1", secrets_of(opening, seed))
    return replace(part, commitments=other.commitments, proof=other.proof)


def too_few_boxes(consortium, opening, part):
    return replace(part, boxes=(bytes(48),))


def unopenable_boxes(consortium, opening, part):
    return replace(part, boxes=(bytes(48), bytes(48)))


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        (identity_point, "commitments"),
        (not_a_point, "commitments"),
        (short_point, "commitments"),
        (higher_degree, "commitments"),
        (lower_degree, "commitments"),
        (no_proof, "proof"),
        (short_proof, "proof"),
        (copied_constant, "proof"),
        (too_few_boxes, "boxes"),
        (unopenable_boxes, "box"),
    ],
)
def test_a_cheating_dealer_ends_the_ceremony_and_is_named(change, fault):
    """Each kind of wrong dealing is found by an honest holder, who has no key then."""
    consortium, dealings, _ = ceremony_with(change)
    assert ended(consortium, dealings).fault == fault


def test_an_honest_dealing_passes_the_same_path():
    """Control of this file's own set-up: without a change nothing is found."""
    consortium, dealings, _ = ceremony_with(lambda consortium, opening, part: part)
    said = [consortium.confirm(code, dealings)[1] for code in ("H1", "H3")]
    assert said[0].keys == said[1].keys


def with_wrong_share():
    consortium = Consortium()
    opening = consortium.opening()
    promises = consortium.promises(opening)
    dealings = list(consortium.dealings(promises))
    own = secrets_of(opening, consortium.seed(CHEAT, opening))
    other = replace(secrets_of(opening, seed_of("another")), transport=own.transport)
    boxes = dealing_module.seal_shares(opening, CHEAT, other, promises)
    dealings[1] = consortium.sign(replace(dealings[1], boxes=boxes))
    return consortium, tuple(dealings)


def test_a_wrong_share_is_shown_to_all():
    """The complainer opens its box to everybody, and every holder convicts the dealer."""
    consortium, dealings = with_wrong_share()
    complaint = ended(consortium, dealings)
    assert complaint.fault == "share"
    after = replace(consortium.progress["H3"], dealings=dealings)
    told, convicted = consortium.sides["H3"].heed(after, complaint)
    assert (told.state, convicted) == ("ended", CHEAT)
    with pytest.raises(CeremonyEndedError):
        consortium.sides["H3"].confirm(told, dealings, bytes(32), None)


def test_a_false_complaint_convicts_whoever_made_it():
    """Said of a right box, with the right or a wrong private key."""
    consortium = Consortium()
    opening = consortium.opening()
    dealings = consortium.dealings(consortium.promises(opening))
    right = secrets_of(opening, consortium.seed("H1", opening)).transport
    for transport in (right, bytes(32), b"", right[::-1]):
        said = Complaint(opening.name, "H1", CHEAT, "share", transport)
        complaint = signed(consortium.identities["H1"].private, said)
        after = replace(consortium.progress["H3"], dealings=dealings)
        assert consortium.sides["H3"].heed(after, complaint)[1] == "H1"


def test_a_complaint_needs_its_holders_signature():
    """The relay cannot end a ceremony in a holder's name."""
    consortium = Consortium()
    opening = consortium.opening()
    consortium.dealings(consortium.promises(opening))
    said = Complaint(opening.name, "H1", CHEAT, "proof", b"")
    forged = signed(consortium.identities["H3"].private, said)
    with pytest.raises(PeerError):
        consortium.sides["H3"].heed(consortium.progress["H3"], forged)


def test_a_wrong_share_believed_would_make_quorums_disagree():
    """Positive control: added up unchecked, H1's share with the wrong part in it gives another key
    in a quorum with H2 than H2 and H3 have.
    """
    consortium = Consortium()
    opening = consortium.opening()
    shares, _ = consortium.run()
    right = secrets_of(opening, consortium.seed(CHEAT, opening)).share(1)
    wrong = secrets_of(opening, seed_of("another")).share(1)
    believed = shares["H1"].secret - right + wrong
    key = combine({2: shares["H2"].secret, 3: shares["H3"].secret})
    assert combine({1: shares["H1"].secret, 2: shares["H2"].secret}) == key
    assert combine({1: believed, 2: shares["H2"].secret}) != key


def test_what_was_promised_cannot_be_changed():
    """Rushing: commitments chosen after others were seen do not fit the promise."""
    consortium = Consortium()
    opening = consortium.opening()
    dealings = list(consortium.dealings(consortium.promises(opening)))
    other = dealing_module.commit(GROUP, opening, CHEAT, secrets_of(opening, seed_of("later")))
    late = replace(dealings[1], commitments=other.commitments, proof=other.proof)
    dealings[1] = consortium.sign(late)
    assert ended(consortium, tuple(dealings)).fault == "promise"


def test_without_proofs_a_rogue_dealer_would_have_the_key_alone():
    """Positive control of proof and promise: C_0 chosen as x·G minus the others' constants makes
    the sum x·G, a key whose secret one dealer knows; it cannot prove its constant.
    """
    consortium = Consortium()
    opening = consortium.opening()
    others = [
        dealing_module.commit(
            GROUP, opening, code, secrets_of(opening, consortium.seed(code, opening))
        )
        for code in ("H1", "H3")
    ]
    known = 7
    sum_of_others = GROUP.total(points_of([one.commitments[0] for one in others]))
    rogue = GROUP.subtract(GROUP.multiply_base(scalars_of([known])), sum_of_others)
    public = GROUP.total(points_of([rogue.tobytes(), *(one.commitments[0] for one in others)]))
    assert public.tobytes() == GROUP.multiply_base(scalars_of([known])).tobytes()

    def rogue_key(consortium, opening, part):
        return replace(part, commitments=(rogue.tobytes(), part.commitments[1]))

    consortium, dealings, _ = ceremony_with(rogue_key)
    assert ended(consortium, dealings).fault == "proof"


def test_a_proof_is_for_one_ceremony_and_dealer():
    """Its challenge depends on all of opening, dealer, constant and point."""
    a, b = bytes(32), b"\x01" * 32
    base = _challenge(a, "H1", a, a)
    assert base not in {
        _challenge(b, "H1", a, a),
        _challenge(a, "H2", a, a),
        _challenge(a, "H1", b, a),
        _challenge(a, "H1", a, b),
    }


def nonzero_constant(consortium, opening, part):
    """In a renewal: a polynomial with a constant, which would change the key."""
    secrets = secrets_of(replace(opening, renews=b""), consortium.seed(CHEAT, opening))
    points = GROUP.multiply_base(scalars_of(secrets.coefficients))
    return replace(part, commitments=tuple(row.tobytes() for row in points))


def proof_in_renewal(consortium, opening, part):
    return replace(part, proof=bytes(64))


@pytest.mark.parametrize(
    ("change", "fault"), [(nonzero_constant, "commitments"), (proof_in_renewal, "proof")]
)
def test_a_renewal_cannot_change_the_key(change, fault):
    """Commitments to a constant have no place in it."""
    consortium, dealings, renewed = ceremony_with(change, renew=True)
    assert ended(consortium, dealings, renewed).fault == fault


def test_in_a_renewal_a_share_of_a_constant_is_found():
    """Shares of a polynomial with a constant do not fit commitments without one."""
    consortium = Consortium()
    renewed = consortium.run()[0]
    opening = consortium.opening(renewed, "constant")
    promises = consortium.promises(opening, renewed)
    dealings = list(consortium.dealings(promises))
    own = secrets_of(opening, consortium.seed(CHEAT, opening))
    shifted = replace(own, coefficients=(5, *own.coefficients[1:]))
    boxes = dealing_module.seal_shares(opening, CHEAT, shifted, promises)
    dealings[1] = consortium.sign(replace(dealings[1], boxes=boxes))
    assert ended(consortium, tuple(dealings), renewed).fault == "share"


def test_a_low_order_sealing_key_is_found():
    """A transport key whose secret everybody knows is refused before a share is sealed to it."""
    consortium = Consortium()

    def weak(promise):
        return consortium.sign(replace(promise, transport=bytes(32)))

    consortium.tampered[Promise, CHEAT] = weak
    promises = consortium.promises(consortium.opening())
    with pytest.raises(CeremonyEndedError) as caught:
        consortium.dealings(promises)
    assert (caught.value.dealer, caught.value.complaint.fault) == (CHEAT, "point")


def test_two_stories_are_noticed():
    """A dealer that promises different things to different holders: nobody confirms."""
    consortium = Consortium()
    opening = consortium.opening()
    promises = consortium.promises(opening)
    other = consortium.sign(replace(promises[1], promise=bytes(32)))
    twisted = (promises[0], other, promises[2])
    said = []
    for code, heard in (("H1", promises), ("H2", promises), ("H3", twisted)):
        side, seed = consortium.sides[code], consortium.seed(code, opening)
        consortium.progress[code], one = side.deal(consortium.progress[code], heard, seed)
        said.append(one)
    with pytest.raises(PeerError, match="H3 was shown another promise of H2"):
        consortium.confirm("H1", tuple(said))


@pytest.mark.parametrize("kind", [Promise, Dealing])
def test_the_relay_cannot_speak_for_a_holder(kind):
    """A changed statement blames nobody and changes nothing; the right one goes on."""
    consortium = Consortium()
    opening = consortium.opening()
    promises = consortium.promises(opening)
    if kind is Promise:
        changed = (promises[0], replace(promises[1], promise=bytes(32)), promises[2])
        with pytest.raises(PeerError, match="not signed by it"):
            consortium.dealings(changed)
    dealings = consortium.dealings(promises)
    changed = (dealings[0], replace(dealings[1], proof=bytes(64)), dealings[2])
    with pytest.raises(PeerError, match="not signed by it"):
        consortium.confirm("H1", changed)
    assert consortium.confirm("H1", dealings)


def test_statements_of_another_ceremony_do_not_fit():
    """Replay: promises and dealings name their opening."""
    consortium = Consortium()
    old = consortium.promises(consortium.opening(nonce="old"))
    old_dealings = consortium.dealings(old)
    now = consortium.promises(consortium.opening(nonce="now"))
    with pytest.raises(PeerError, match="not of this ceremony"):
        consortium.dealings(old)
    consortium.dealings(now)
    with pytest.raises(PeerError, match="not of this ceremony"):
        consortium.confirm("H1", old_dealings)


def test_only_key_holders_take_part():
    """A lender's certificate, or one of another authority, is no holder's."""
    consortium = Consortium()
    promises = consortium.promises(consortium.opening())
    lender = identity_under(AUTHORITY, "H2", "lender")
    said = replace(promises[1], certificate=lender.member.certificate)
    wrong = (promises[0], signed(lender.private, said), promises[2])
    with pytest.raises(PeerError, match="lender"):
        consortium.dealings(wrong)


def test_holders_that_confirmed_other_keys_are_named():
    """The relay cannot put signatures of different key sets together."""
    consortium = Consortium()
    dealings = consortium.dealings(consortium.promises(consortium.opening()))
    _, said = consortium.confirmations(dealings)
    other = replace(said[2], keys=replace(said[2].keys, generation=5))
    with pytest.raises(PeerError, match="H3 confirmed other keys than H1"):
        gathered((*said[:2], other), [b""] * 3)


def test_boxes_of_two_ceremonies_have_nothing_in_common():
    """The keys of boxes are bound to all promises, so the same seed seals otherwise elsewhere."""
    consortium = Consortium()
    one = consortium.promises(consortium.opening(nonce="1"))
    two = consortium.promises(consortium.opening(nonce="2"))
    assert transcript_of(one) != transcript_of(two)
