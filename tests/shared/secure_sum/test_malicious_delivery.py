"""A malicious coordinator delivers shares: other boxes, other senders, rolls not all accepted."""

from __future__ import annotations

from dataclasses import dataclass, replace

import pytest

from shared.errors import PeerError
from shared.secure_sum.coordinator_side import SetUpUnderWay
from shared.secure_sum.lender_side import LenderSide
from shared.secure_sum.statements import Delivery, Roll, accepting_transcript, name_of
from tests.shared.secure_sum.federation import Federation, identity
from tests.shared.secure_sum.malicious import assert_refused
from tests.shared.secure_sum.malicious_set_up import Begun, begin, keys_of

Patch = pytest.MonkeyPatch


@pytest.fixture
def begun() -> Begun:
    """Five lenders and two slots."""
    return begin()


@dataclass
class Shared:
    """All have shared; nothing is delivered."""

    federation: Federation
    under_way: SetUpUnderWay

    def refuses(self, code: str, delivery: Delivery, reason: str) -> None:
        """This lender refuses these boxes and still holds no shares."""
        assert_refused(self.federation, lambda side: side.ready(delivery), delivery, reason, [code])


@pytest.fixture
def shared(begun: Begun) -> Shared:
    for keys in begun.keys.values():
        begun.under_way.take_keys(keys)
    roll = begun.under_way.close_keys()
    for side in begun.federation.sides.values():
        begun.under_way.take_shares(side.shares(roll))
    return Shared(begun.federation, begun.under_way)


def changed_box(delivery: Delivery, place: int, **fields: object) -> Delivery:
    sender, box, accepted = delivery.boxes[place]
    new = (fields.get("sender", sender), fields.get("box", box), fields.get("accepted", accepted))
    return replace(delivery, boxes=(*delivery.boxes[:place], new, *delivery.boxes[place + 1 :]))


def test_a_delivery_meant_for_another_lender_is_refused(shared: Shared) -> None:
    """The boxes of L02 to L01, even under the senders L01 expects."""
    own, others = shared.under_way.delivery("L01"), shared.under_way.delivery("L02")
    shared.refuses("L01", others, "delivery")
    renamed = tuple(
        (mine[0], box[1], mine[2]) for mine, box in zip(own.boxes, others.boxes, strict=True)
    )
    shared.refuses("L01", replace(own, boxes=renamed), "box")
    shared.federation.sides["L01"].ready(own)


def test_changed_cut_missing_swapped_and_foreign_boxes_are_refused(shared: Shared) -> None:
    """One bit is enough, at every lender; the true delivery is taken afterwards."""
    for code in shared.federation.codes:
        proper = shared.under_way.delivery(code)
        box = proper.boxes[1][1]
        for bad in (bytes([box[0] ^ 1]) + box[1:], box[:-1], b"", proper.boxes[0][1]):
            shared.refuses(code, changed_box(proper, 1, box=bad), "box")
        shared.refuses(code, replace(proper, boxes=proper.boxes[1:]), "delivery")
        shared.refuses(code, replace(proper, boxes=proper.boxes[::-1]), "delivery")
        shared.refuses(code, replace(proper, boxes=(*proper.boxes, proper.boxes[0])), "delivery")
        shared.refuses(code, changed_box(proper, 0, sender="L99"), "delivery")
        shared.refuses(code, changed_box(proper, 0, sender=code), "delivery")
        shared.refuses(code, replace(proper, set_up=bytes(32)), "delivery")
        shared.federation.sides[code].ready(proper)


def test_a_box_of_another_size_is_refused(shared: Shared, monkeypatch: Patch) -> None:
    """A colluding lender may seal what it likes, but not more or less than the slots' shares."""
    suite, side = shared.federation.suite, shared.federation.sides["L01"]
    proper = shared.under_way.delivery("L01")
    sealed = suite.unseal
    monkeypatch.setattr(type(suite), "unseal", lambda *given: sealed(*given[1:]) + b"\0")
    with pytest.raises(PeerError, match="box of shares"):
        side.ready(proper)


def test_another_delivery_after_the_first_is_refused(shared: Shared) -> None:
    """The same one gets the same word again."""
    side, proper = shared.federation.sides["L01"], shared.under_way.delivery("L01")
    assert side.ready(proper) == side.ready(proper)
    shared.refuses("L01", changed_box(proper, 0, accepted=bytes(64)), "delivery")


def test_a_member_that_did_not_accept_the_roll_stops_the_set_up(shared: Shared) -> None:
    """Without its signature, with another member's, with one over another roll."""
    suite = shared.federation.suite
    other = suite.sign(identity("L02").private, accepting_transcript(bytes(32)))
    for code in ("L01", "L03", "L04", "L05"):
        proper = shared.under_way.delivery(code)
        place = [sender for sender, _, _ in proper.boxes].index("L02")
        neighbour = proper.boxes[place - 1][2]
        for accepted in (b"", bytes(64), other, neighbour):
            shared.refuses(code, changed_box(proper, place, accepted=accepted), "accepted")


def split_rolls(begun: Begun) -> dict[str, tuple[Roll, dict[str, tuple[bytes, bytes]]]]:
    """L01 and L02 are shown L06 in L05's place; everybody shares for the roll it is shown."""
    member = identity("L06")
    other_keys = [begun.keys[c] for c in ("L01", "L02", "L03", "L04")]
    other_keys.append(keys_of(begun, member, begun.keys["L05"]))
    rolls = {True: begun.roll(other_keys), False: begun.roll()}
    shown = {}
    for code, side in begun.federation.sides.items():
        roll = rolls[code in ("L01", "L02")]
        sealed = side.shares(roll)
        shown[code] = (roll, {to: (box, sealed.signature) for to, box in sealed.boxes})
    return shown


def test_lenders_shown_different_rolls_notice_at_the_delivery(begun: Begun) -> None:
    """The others' acceptance is of another roll, and so are their boxes."""
    shown = split_rolls(begun)
    for code, (roll, _) in shown.items():
        delivered = tuple(
            (sender, *shown[sender][1].get(code, (bytes(148), bytes(64))))
            if sender in shown
            else (sender, bytes(148), bytes(64))
            for sender in roll.members
            if sender != code
        )
        delivery = Delivery(name_of(begun.federation.suite, roll), delivered)

        def ask(side: LenderSide, delivery: Delivery = delivery) -> object:
            return side.ready(delivery)

        assert_refused(begun.federation, ask, delivery, "accepted", [code])
