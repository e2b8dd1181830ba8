"""A malicious coordinator sets up: substituted keys, low thresholds, false members.

Every lender it is tried on refuses before a share is out and signs why. Controls: with the check
off, the attack reads a lender's vector.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

import numpy as np
import pytest

from server.authority import create_authority, issue
from shared.errors import PeerError
from shared.identity.certificate import Identity, identity_of, public_of
from shared.secure_sum import boxes, lender_checks
from shared.secure_sum.coordinator_side import SetUp, SetUpUnderWay
from shared.secure_sum.floors import Floors
from shared.secure_sum.lender_checks import MOST_MEMBERS, MOST_SLOTS
from shared.secure_sum.lender_secrets import SlotSecrets
from shared.secure_sum.lender_side import LenderSide
from shared.secure_sum.shamir import Combiner
from shared.secure_sum.statements import (
    Delivery,
    MemberKeys,
    SetUpOpen,
    name_of,
    signed,
)
from shared.secure_sum.trust import Trust
from tests.shared.secure_sum.federation import (
    NOW,
    Federation,
    authority,
    identity,
    payload,
    seeded,
    trust,
)
from tests.shared.secure_sum.malicious import Attacked, assert_refused, nothing, unmasked
from tests.shared.secure_sum.malicious_set_up import Begun, begin, keys_of, rogue_identity

Patch = pytest.MonkeyPatch


@pytest.fixture
def begun() -> Begun:
    """Five lenders and two slots."""
    return begin()


# SetUpOpen


def opening(federation: Federation, signer: Identity | None = None, **changed: object) -> SetUpOpen:
    signer = signer or federation.coordinator
    proper = federation.under_way(7).opened
    opened = replace(proper, signature=b"", **changed)  # type: ignore[arg-type]
    return signed(federation.suite, signer.private, opened)


@pytest.mark.parametrize(
    ("reason", "changed"),
    [
        ("agreement", {"agreement": bytes(32)}), ("suite", {"suite": "none/v0"}),
        ("counter", {"counter": 0}), ("counter", {"counter": -1}), ("slots", {"slots": 0}),
        ("slots", {"slots": MOST_SLOTS + 1}), ("slots", {"nonce": bytes(31)}),
        ("certificate", {"coordinator": b""}),
        ("certificate", {"coordinator": identity("L01").member.certificate}),
        ("signature", {"coordinator": identity("other", "coordinator").member.certificate}),
    ],
)  # fmt: skip
def test_a_set_up_that_does_not_fit_is_refused(reason: str, changed: dict[str, object]) -> None:
    """Other terms, other ciphers, no new counter, no slots, not by the coordinator."""
    federation = Federation(3)
    opened = opening(federation, **changed)
    assert_refused(federation, lambda side: side.keys(opened), opened, reason)
    proper = opening(federation)
    for side in federation.sides.values():
        assert side.keys(proper).opened == name_of(federation.suite, proper)


def test_a_set_up_without_the_coordinators_signature_is_refused() -> None:
    """Unsigned, signed by a lender, or changed after it was signed."""
    federation = Federation(3)
    proper = opening(federation)
    for opened in (
        replace(proper, signature=b""),
        replace(proper, counter=8),
        opening(federation, identity("L01")),
    ):
        assert_refused(
            federation, lambda side, opened=opened: side.keys(opened), opened, "signature"
        )


def test_a_replayed_set_up_is_refused_also_after_a_restart() -> None:
    """The counter has to rise: an older one comes too late, the last one gives the same keys."""
    federation = Federation(3)
    first, second = federation.under_way(5), federation.under_way(6)
    again = opening(federation, counter=6, nonce=bytes(32))
    for code, side in federation.sides.items():
        side.keys(first.opened)
        keys = side.keys(second.opened)
        assert side.keys(second.opened) == federation.side(code).keys(second.opened) == keys
    for opened in (first.opened, again):
        assert_refused(federation, lambda side, o=opened: side.keys(o), opened, "counter")
        federation.sides = {code: federation.side(code) for code in federation.codes}


def test_a_coordinator_of_another_authority_or_past_its_dates_is_refused() -> None:
    """A certificate is judged by the lender's own clock and its own copy of the authority's."""
    federation = Federation(3)
    rogue = create_authority("tests", days=3650, now=NOW, random=seeded("rogue"))
    private = seeded("rogue key")(32)
    certificate = issue(
        rogue, "coordinator", "coordinator", public_of(private), days=9, now=NOW,
        random=seeded("rogue leaf"),
    )  # fmt: skip
    impostor = identity_of(certificate, private, rogue.certificate, NOW)
    opened = opening(federation, impostor, coordinator=certificate)
    assert_refused(federation, lambda side: side.keys(opened), opened, "certificate")
    for side in federation.sides.values():
        late = Trust(authority().certificate, lambda: NOW + timedelta(days=400))
        side._terms = replace(side._terms, trust=late)
    proper = opening(federation)
    assert_refused(federation, lambda side: side.keys(proper), proper, "certificate")


# Roll


def swapped(keys: MemberKeys, **changed: object) -> MemberKeys:
    return replace(keys, **changed)  # type: ignore[arg-type]


SWAPPED: dict[str, Callable[[MemberKeys], dict[str, object]]] = {
    "mask key": lambda keys: {"masks": (bytes(31) + b"\1", *keys.masks[1:])},
    "transport key": lambda keys: {"transport": bytes(31) + b"\2"},
    "commitment": lambda keys: {"commitments": (bytes(32), *keys.commitments[1:])},
    "order of slots": lambda keys: {"masks": keys.masks[::-1]},
}


@pytest.mark.parametrize("what", SWAPPED)
def test_a_substituted_key_is_refused_by_all(begun: Begun, what: str) -> None:
    """By the others for its signature, by its owner because it is not what it sent."""
    victim = begun.keys["L02"]
    changed = swapped(victim, **SWAPPED[what](victim))
    signers = (None, begun.federation.coordinator, identity("L03"))
    for signer in signers:
        keys = changed
        if signer is not None:
            keys = signed(begun.federation.suite, signer.private, replace(changed, signature=b""))
        roll = begun.roll(list((begun.keys | {"L02": keys}).values()))
        begun.refuses(roll, "signature", ["L01", "L03", "L04", "L05"])
        begun.refuses(roll, "own-keys", ["L02"])


def test_without_the_check_of_signatures_substituted_keys_read_a_lender(monkeypatch: Patch) -> None:
    """Control: the victim seals its shares to the coordinator's own transport keys."""
    federation = Federation(5, slots=1)
    under_way, suite = federation.under_way(), federation.suite
    for code in federation.codes:
        under_way.take_keys(federation.sides[code].keys(under_way.opened))
    honest = under_way.close_keys()
    private = suite.private_key(bytes(range(32)))
    mine = suite.public_key(private)
    keys = tuple(k if k.member == "L02" else swapped(k, transport=mine) for k in honest.keys)
    roll = replace(honest, keys=keys, signature=b"")
    roll = signed(suite, federation.coordinator.private, roll)
    side = federation.sides["L02"]
    with pytest.raises(PeerError, match="signature"):
        side.shares(roll)

    publics = tuple(identity(code).member.public for code in federation.codes)
    monkeypatch.setattr(lender_checks, "roll", lambda *_: publics)
    monkeypatch.setattr(boxes, "_check_accepted", nothing)
    name, agreed = name_of(suite, roll), suite.agree(private, keys[1].transport)
    held, back = {}, []
    for code, box in side.shares(roll).boxes:
        info = boxes._info("L02", code)
        held[code] = suite.unseal(suite.derive(agreed, name, info), box, name + info)
        info = boxes._info(code, "L02")
        sealed = suite.seal(suite.derive(agreed, name, info), held[code], name + info)
        back.append((code, sealed, b""))
    side.ready(Delivery(name, tuple(back)))
    set_up = SetUp(under_way.opened, roll, name, publics, tuple(federation.codes))
    opened, vector = federation.open(set_up, 0, payload(0, 9)), np.arange(9)
    given = side.mask(opened, opened.payload, vector, purpose="a test")
    places = [set_up.place(code) for code in held]
    combiner = Combiner(places)
    seed = combiner.secret([content[:33] for content in held.values()])
    mask = combiner.secret([content[33:66] for content in held.values()])
    read = unmasked(suite, set_up, opened, given, seed, mask)
    np.testing.assert_array_equal(read, vector)


def test_a_substituted_certificate_is_refused(begun: Begun) -> None:
    """Another member's, one of another authority, a coordinator's, one that is none."""
    victim = begun.keys["L02"]
    for certificate in (
        begun.keys["L03"].certificate,
        identity("L02", "coordinator").member.certificate,
        b"",
        victim.certificate[:-1] + bytes([victim.certificate[-1] ^ 1]),
    ):
        roll = begun.roll(
            [*(begun.keys | {"L02": swapped(victim, certificate=certificate)}).values()]
        )
        begun.refuses(roll, "certificate", ["L01", "L03", "L04", "L05"])
        begun.refuses(roll, "own-keys", ["L02"])


def test_invented_members_are_refused(begun: Begun) -> None:
    """Members certified by an authority of the coordinator's own."""
    invented = keys_of(begun, rogue_identity("L06"), begun.keys["L05"])
    begun.refuses(begun.roll([*begun.keys.values(), invented], 5), "certificate")


def test_without_the_check_of_certificates_a_lender_is_alone_among_inventions(
    monkeypatch: Patch,
) -> None:
    """Control: the sum of one lender and four inventions minus what the inventions gave."""
    members = {code: identity(code) if code == "L01" else rogue_identity(code)
               for code in ("L01", "L02", "L03", "L04", "L05")}  # fmt: skip
    known = {one.member.certificate: one.member for one in members.values()}
    federation = Federation(5, slots=1)
    federation.set_up()
    accepted = Trust.member

    def believes(self: Trust, certificate: bytes, role: str):  # type: ignore[no-untyped-def]
        return known.get(certificate) or accepted(self, certificate, role)

    monkeypatch.setattr(Trust, "member", believes)
    for code, side in federation.sides.items():
        side._terms = replace(side._terms, identity=members[code])
    set_up = federation.set_up()
    vectors = {code: np.full(4, 10 if code == "L01" else 1) for code in federation.codes}
    closed = federation.collected(set_up, federation.open(set_up, 0, payload(0, 4)), vectors)
    np.testing.assert_array_equal(federation.opened(set_up, closed).total() - 4, vectors["L01"])


def test_members_that_are_not_on_the_lenders_own_list_are_refused(begun: Begun) -> None:
    """A pinned list holds even against the consortium's own authority."""
    for code, side in begun.federation.sides.items():
        pinned = {code: identity(code).member.public for code in ("L01", "L02", "L03", "L04")}
        own = Trust(authority().certificate, lambda: NOW, pinned)
        side._terms = replace(begun.federation.sides[code]._terms, trust=own)
    begun.refuses(begun.roll(), "certificate")
    assert trust().member(identity("L05").member.certificate, "lender").code == "L05"


def test_duplicates_on_the_roll_are_refused(begun: Begun) -> None:
    """A member twice; one certificate, key or identity under two codes."""
    keys = begun.keys
    begun.refuses(begun.roll([*keys.values(), keys["L05"]]), "duplicate")
    colluding = identity("L06")
    for stolen in ({"transport": keys["L02"].transport}, {"masks": keys["L02"].masks},
                   {"masks": (keys["L02"].masks[1], bytes(31) + b"\1")}):  # fmt: skip
        copied = keys_of(begun, colluding, keys["L05"], **stolen)
        begun.refuses(begun.roll([*keys.values(), copied], 5), "duplicate")
    twin = issue(
        authority(), "L06", "lender", identity("L05").member.public, days=9, now=NOW,
        random=seeded("twin"),
    )  # fmt: skip
    twin_identity = identity_of(twin, identity("L05").private, authority().certificate, NOW)
    begun.refuses(
        begun.roll([*keys.values(), keys_of(begun, twin_identity, keys["L05"])], 5), "duplicate"
    )
    proper = keys_of(begun, colluding, keys["L05"])
    assert begun.federation.sides["L01"].shares(begun.roll([*keys.values(), proper], 5))


@pytest.mark.parametrize("threshold", [-1, 0, 1, 2, 3, 6])
def test_a_threshold_below_two_thirds_or_beyond_all_is_refused(
    begun: Begun, threshold: int
) -> None:
    """Of five at least four; control in the next test."""
    begun.refuses(begun.roll(threshold=threshold), "threshold")


def test_without_that_floor_two_stories_read_a_lender(monkeypatch: Patch) -> None:
    """Control: with two shares of five enough, two are told one thing and two another."""
    monkeypatch.setattr(Floors, "check_roll", nothing)
    attacked = Attacked(5, threshold=2)
    opened = attacked.open()
    name = attacked.mask(opened)
    attacked.tell(name, dict.fromkeys(("L01", "L02"), attacked.codes))
    attacked.tell(name, dict.fromkeys(("L03", "L04"), attacked.all_but("L02")))
    np.testing.assert_array_equal(attacked.read(opened, "L02"), attacked.vectors["L02"])


def test_a_roll_of_fewer_lenders_than_the_floor_is_refused(begun: Begun) -> None:
    """Two of a demo consortium, four where a lender insists on five."""
    begun.refuses(begun.roll([begun.keys["L01"], begun.keys["L02"]], 2), "cohort", ["L01", "L02"])
    federation = begun.federation
    federation.floors = Floors.of("production")
    federation.sides = {code: federation.side(code) for code in federation.codes}
    four = begun.roll([begun.keys[code] for code in federation.codes[:4]], 3)
    begun.refuses(four, "cohort", federation.codes[:4])


def test_a_roll_out_of_order_or_too_long_is_refused(begun: Begun, monkeypatch: Patch) -> None:
    """A member's place is its place in every sharing."""
    begun.refuses(begun.roll(list(begun.keys.values())[::-1]), "roll")
    assert MOST_MEMBERS == 4096
    monkeypatch.setattr(lender_checks, "MOST_MEMBERS", 4)
    begun.refuses(begun.roll(), "roll")


def test_keys_of_another_set_up_or_for_other_slots_are_refused(begun: Begun) -> None:
    """Signed by their owner, but for something else: a replay of keys."""
    member = identity("L06")
    like = begun.keys["L05"]
    for changed in ({"opened": bytes(32)}, {"masks": like.masks[:1]}, {"commitments": ()}):
        keys = keys_of(begun, member, like, **changed)
        if "opened" not in changed:
            keys = keys_of(begun, member, like, **{"masks": (keys.transport,), **changed})
        begun.refuses(begun.roll([*begun.keys.values(), keys], 5), "roll")


def test_a_roll_of_another_set_up_without_signature_or_after_another_is_refused(
    begun: Begun,
) -> None:
    """A lender accepts one roll of the set-up whose keys it gave."""
    proper = begun.roll()
    suite = begun.federation.suite
    foreign = signed(
        suite,
        begun.federation.coordinator.private,
        replace(proper, opened=bytes(32), signature=b""),
    )
    begun.refuses(foreign, "roll")
    begun.refuses(replace(proper, signature=b""), "signature")
    for side in begun.federation.sides.values():
        assert side.shares(proper) == side.shares(proper)  # the same bytes again
    begun.refuses(begun.roll(threshold=5), "roll")
    assert_refused(Federation(5), lambda side: side.shares(proper), proper, "no-keys")


def test_a_transport_key_of_low_order_is_refused(begun: Begun) -> None:
    """A colluding lender's key that nobody can agree on a secret with."""
    bad = keys_of(begun, identity("L06"), begun.keys["L05"], transport=bytes(32))
    begun.refuses(begun.roll([*begun.keys.values(), bad], 5), "point")


def test_a_mask_key_of_low_order_is_refused_when_its_slot_comes(
    begun: Begun, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By a coordinator that looks, when it is sent; else by every lender when its slot comes."""
    federation = begun.federation
    first = begun.keys["L05"].masks[0]
    bad = replace(begun.keys["L05"], masks=(first, bytes(32)), signature=b"")
    begun.keys["L05"] = signed(federation.suite, identity("L05").private, bad)
    side = federation.sides["L05"]
    side._keep(replace(side._set_up(), own=begun.keys["L05"]), side_slots(federation, "L05"))
    with pytest.raises(PeerError, match="low order"):
        begun.under_way.take_keys(begun.keys["L05"])
    monkeypatch.setattr(SetUpUnderWay, "_check_points", nothing)
    for keys in begun.keys.values():
        begun.under_way.take_keys(keys)
    roll = begun.under_way.close_keys()
    for side in federation.sides.values():
        begun.under_way.take_shares(side.shares(roll))
    for code, side in federation.sides.items():
        begun.under_way.take_ready(side.ready(begun.under_way.delivery(code)))
    set_up = begun.under_way.finished()
    opened = federation.open(set_up, 1, payload(0, 3))

    def ask(side: LenderSide) -> object:
        return side.mask(opened, opened.payload, np.arange(3), purpose="a test")

    assert_refused(federation, ask, opened, "point", ["L01", "L02", "L03", "L04"])


def side_slots(federation: Federation, code: str) -> list[SlotSecrets]:
    return [SlotSecrets.from_bytes(record) for record in federation.stores[code].records if record]
