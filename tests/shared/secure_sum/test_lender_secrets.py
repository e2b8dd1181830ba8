"""What a lender keeps: wiped when it has answered, shown by no repr, refused when cut."""

from __future__ import annotations

from dataclasses import replace

import pytest

from shared.errors import InternalError, PeerError
from shared.secure_sum.floors import RefusedError
from shared.secure_sum.lender_secrets import LenderSetUp, SlotSecrets
from shared.secure_sum.lender_side import UnprovenError
from shared.secure_sum.trust import Trust
from tests.shared.secure_sum.federation import NOW, Federation, authority, identity, payload
from tests.shared.secure_sum.malicious import Attacked

SECRETS = SlotSecrets(b"m" * 32, b"s" * 32, tuple(bytes([i]) * 66 for i in range(3)))


def test_a_record_holds_everything_and_comes_back_equal() -> None:
    """Its length follows from the number of members alone."""
    assert SlotSecrets.from_bytes(SECRETS.to_bytes()) == SECRETS
    assert len(SECRETS.to_bytes()) == 64 + 3 * 66
    assert (SECRETS.share(2, of_seed=True), SECRETS.share(2, of_seed=False)) == (b"\2" * 33,) * 2


@pytest.mark.parametrize("size", [0, 63, 65, 64 + 65, 64 + 3 * 66 - 1])
def test_a_record_that_is_cut_is_not_read(size: int) -> None:
    """Half a secret would open nothing, later and at others."""
    with pytest.raises(InternalError, match="cut short"):
        SlotSecrets.from_bytes(SECRETS.to_bytes()[:size])


def test_no_repr_shows_a_secret() -> None:
    """Of slots, set-ups and identities: they end up in logs."""
    federation = Federation(3)
    federation.set_up()
    kept = federation.sides["L01"]._set_up()
    assert isinstance(kept, LenderSetUp)
    assert repr(SECRETS) == "SlotSecrets()"
    assert repr(kept.transport) not in repr(kept)
    assert repr(identity("L01").private) not in repr(identity("L01"))


def test_places_are_those_of_the_roll_and_keys_of_all_members_met() -> None:
    """A member of an earlier set-up only is still known by its key."""
    federation = Federation(4)
    federation.set_up()
    federation.set_up(federation.codes[:3])
    kept = federation.sides["L01"]._set_up()
    assert kept is not None
    assert kept.place("L03") == 2
    for code in federation.codes:
        assert kept.public_of(code) == identity(code).member.public
    assert kept.public_of("L99") is None
    with pytest.raises(InternalError, match="not on the roll"):
        kept.place("L04")


def test_an_answered_slot_is_wiped_also_after_a_crash_before_the_wiping() -> None:
    """The journal knows that it was answered; the next start overwrites what was left."""
    attacked = Attacked(3)
    name = attacked.mask(attacked.open())
    federation, told = attacked.federation, attacked.survivors(name, attacked.codes)
    store = federation.stores["L01"]
    left = store.slot(0)
    first = federation.sides["L01"].answer(told)
    assert store.slot(0) is None
    store.records[0] = left  # the crash came between journal and vault
    side = federation.side("L01")
    side.settle()
    assert store.slot(0) is None
    assert side.answer(told) == first
    assert store.slot(1) is not None


def test_a_slot_whose_secrets_are_gone_is_refused() -> None:
    """A vault that lost them cannot mask."""
    attacked = Attacked(3)
    attacked.federation.stores["L01"].wipe(0)
    with pytest.raises(RefusedError, match="a slot with its secrets"):
        attacked.mask(attacked.open(), ["L01"])


def test_another_process_of_the_lender_may_have_changed_what_is_kept() -> None:
    """A side reads it anew when it is told to."""
    attacked = Attacked(3)
    federation = attacked.federation
    other = {code: federation.side(code) for code in federation.codes}
    federation.set_up()
    opened = attacked.open(0, payload(0, 5))
    for side in other.values():
        side._set_up()
        side.forget()
        with pytest.raises(RefusedError, match="delivery"):
            side.mask(opened, opened.payload, attacked.vectors["L01"], purpose="a test")
    lost = federation.side("L01")
    federation.stores["L01"].kept = None
    lost.check_agreed(())
    with pytest.raises(RefusedError, match="no keys"):
        lost.mask(opened, opened.payload, attacked.vectors["L01"], purpose="a test")


def test_a_lender_that_lost_its_vault_counts_only_those_it_meets_again() -> None:
    """A signature by a member it knows no key of proves nothing."""
    attacked = Attacked(4)
    federation, name = attacked.federation, attacked.mask(attacked.open())
    told = attacked.survivors(name, attacked.codes)
    proofs = {c: (c, side.answer(told).signature) for c, side in federation.sides.items()}
    federation.stores["L01"].kept = None
    federation.sides["L01"] = side = federation.side("L01")
    federation.set_up(federation.codes[:3])
    with pytest.raises(UnprovenError):
        side.check_agreed([proofs[code] for code in ("L01", "L02", "L04")])
    side.check_agreed(proofs.values())


def test_a_party_believes_its_authority_the_role_and_its_own_list() -> None:
    """A list names lenders only: the coordinator need not be on it."""
    lender, coordinator = identity("L01").member, identity("coordinator", "coordinator").member
    anyone = Trust(authority().certificate, lambda: NOW)
    assert anyone.member(lender.certificate, "lender") == lender
    with pytest.raises(PeerError, match="of a lender where a coordinator's is needed"):
        anyone.member(lender.certificate, "coordinator")
    for pinned in ({}, {"L01": bytes(32)}, {"L02": lender.public}):
        listed = Trust(authority().certificate, lambda: NOW, pinned)
        with pytest.raises(PeerError, match="not on this lender's list"):
            listed.member(lender.certificate, "lender")
        assert listed.member(coordinator.certificate, "coordinator") == coordinator
    listed = Trust(authority().certificate, lambda: NOW, {"L01": lender.public})
    assert listed.member(lender.certificate, "lender") == lender


def test_a_lender_whose_vault_is_gone_says_so() -> None:
    """Whatever it is asked, and whatever it remembers of it."""
    attacked = Attacked(3)
    name = attacked.mask(attacked.open())
    attacked.tell(name, dict.fromkeys(attacked.codes, attacked.codes))
    later = attacked.open(1)
    attacked.federation.stores["L01"].kept = None
    remembering, lost = attacked.federation.sides["L01"], attacked.federation.side("L01")
    with pytest.raises(RefusedError) as raised:
        lost.check_agreed(())
    assert raised.value.reason == "no-keys"
    with pytest.raises(RefusedError) as raised:
        lost.mask(later, later.payload, attacked.vectors["L01"], purpose="a test")
    assert raised.value.reason == "no-keys"
    attacked.federation.stores["L01"].records[0] = None
    with pytest.raises(RefusedError) as raised:
        remembering._secrets(0)
    assert raised.value.reason == "no-keys"


def test_numbers_that_could_not_be_given_are_recorded_and_not_asked_for_again() -> None:
    """Their stage has no other round; a vector of another length is our own mistake."""
    attacked = Attacked(3)
    opened, side = attacked.open(), attacked.federation.sides["L01"]
    with pytest.raises(InternalError, match="another length"):
        side.mask(opened, opened.payload, attacked.vectors["L01"][1:], purpose="a test")
    side.failed(opened)
    again = attacked.open(1, opened.payload)
    with pytest.raises(RefusedError, match="masked before"):
        side.check_due(again, again.payload, ())


def test_a_run_that_is_over_leaves_no_secrets() -> None:
    """Slots that were never used are wiped too; another agreement's lender touches none."""
    attacked = Attacked(3)
    side, store = attacked.federation.sides["L01"], attacked.federation.stores["L01"]
    opened, terms = attacked.open(), side._terms
    side.check_due(opened, opened.payload, ())
    side._terms = replace(terms, agreement=bytes(32))
    side.retire()
    assert None not in store.records
    with pytest.raises(RefusedError, match="an agreement"):
        side.check_due(opened, opened.payload, ())
    side._terms = terms
    side.retire()
    assert set(store.records) == {None}


def test_no_counter_uses_up_all_that_follow() -> None:
    """One is at most a day ahead of the clock."""
    federation = Federation(3)
    tomorrow = int((NOW.timestamp() + 86_400) * 1e6)
    with pytest.raises(RefusedError, match="came more"):
        federation.sides["L01"].keys(federation.under_way(tomorrow + 1).opened)
    federation.sides["L01"].keys(federation.under_way(tomorrow).opened)


def test_slots_that_were_skipped_are_wiped_when_a_later_one_is_masked() -> None:
    """A slot below the last masked one is never answered, so its secrets go at once."""
    attacked = Attacked(3)
    store = attacked.federation.stores["L01"]
    assert store.slot(0) is not None
    attacked.mask(attacked.open(1))
    assert store.slot(0) is None
    assert store.slot(1) is not None
