"""Proposals are believed as their members signed them, and keys only as the holders show them."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from client.exchange import epoch_proposals, registry
from client.exchange.proposals import check_waiting
from server.authority import Authority, create_authority
from server.registry.epoch_admission import EpochAdmission
from shared.blacklist.events import Cause, Event, OpenEpoch, Withdraw, signed
from shared.blacklist.waiting import WaitingProposal
from shared.errors import OperatorError, PeerError
from shared.secure_sum.encoding import text_of
from shared.tokens.signed_keys import SignedKeys
from shared.wire import registry_pb2 as wire
from tests.blacklist_members import AUTHORITY, DAYS, FOUNDED, REGISTRY, Lender, hashed, signed_keys
from tests.client.exchange.desks import Desks, opened, subject_of
from tests.exchange_parties import CHECKER, MAKER, PEOPLE
from tests.identities import NOW, fixed_random

MEMBER = Lender.of("L01")


def proposal() -> Withdraw:
    entries = (hashed("an entry", 16),)
    event: Withdraw = MEMBER.sign(
        Withdraw(**MEMBER.decided(), entries=entries, cause=Cause.MISTAKE)
    )
    return event


def check(event: Event, **other: Any) -> None:
    about = {"registry": REGISTRY, "authority": AUTHORITY.certificate, "now": NOW} | other
    check_waiting(WaitingProposal(text_of(event)), **about)


def test_only_what_a_member_signed_for_this_registry_is_shown() -> None:
    """Changed, under another code, for another list or under another authority: refused; as it was
    signed it is shown (control), also when its certificate has ended since.
    """
    event = proposal()
    check(event)
    lies = [
        replace(event, cause=Cause.CLEARED),
        replace(event, member="L02"),
        replace(event, signature=bytes(64)),
        signed(replace(event, member="L02", signature=b""), Lender.of("L02").identity.private),
    ]
    for lie in lies:
        with pytest.raises(PeerError, match="did not sign"):
            check(lie)
    with pytest.raises(PeerError, match="another registry"):
        check(event, registry="R9")
    with pytest.raises(PeerError):
        check(event, authority=_other().certificate)
    later = FOUNDED + timedelta(days=DAYS + 9)
    check(event, now=later)
    with pytest.raises(PeerError):
        check(replace(event, cause=Cause.CLEARED), now=later)


def _other() -> Authority:
    random = fixed_random("another")
    return create_authority("Five lenders", days=DAYS, now=FOUNDED, random=random)


@pytest.fixture(scope="module")
def desks(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desks]:
    with opened(tmp_path_factory.mktemp("exchange")) as made:
        yield made


def test_a_proposal_the_registry_changed_stops_what_asks_for_it(
    desks: Desks, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A registry that puts another epoch into a member's proposal is found when it is shown. A
    lender that does not check consents to it (control).
    """
    event = desks["L01"].decisions.retire_epoch(1, MAKER, CHECKER)
    lie = WaitingProposal(text_of(replace(event, epoch=2)))  # type: ignore[call-arg]
    client = desks["L02"].registry
    stub = client._stub  # type: ignore[attr-defined]
    shown = [wire.WaitingItem(waiting=text_of(lie))]

    class Lying:
        def __getattr__(self, name: str) -> Any:
            return (lambda *_, **__: iter(shown)) if name == "Waiting" else getattr(stub, name)

    monkeypatch.setattr(client, "_stub", Lying())
    with pytest.raises(PeerError, match="did not sign"):
        desks["L02"].consent(event.event_id, MAKER, CHECKER)
    monkeypatch.setattr(registry, "check_waiting", lambda *_: None)
    settled = desks["L02"].consent(event.event_id, MAKER, CHECKER)
    assert "proposal" in (settled.refusal or "")


def other_key(true: SignedKeys, **changes: Any) -> SignedKeys:
    """A key of the next epoch that no holder made."""
    keys = replace(true.keys, epoch=true.keys.epoch + 1, **changes)
    return replace(true, keys=keys)


def test_a_key_that_the_holders_do_not_show_is_not_consented_to(
    desks: Desks, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Two colluding lenders and a registry that does not check open an epoch no holder has: the
    honest lender does not consent. When its check is taken away it does (control), and even then
    its lookups go on, and say which epoch they left out.
    """
    monkeypatch.setattr(EpochAdmission, "check", lambda *_: None)
    true = desks["L01"].holders.key_sets()[1]
    invented = other_key(true, public=secrets.token_bytes(32))
    event = desks["L01"].decisions.open_epoch(invented, MAKER, CHECKER)
    assert isinstance(event, OpenEpoch)
    assert desks["L01"].decide(event).receipt
    with pytest.raises(OperatorError, match="do not show this lender the key proposed as epoch 2"):
        desks["L02"].consent(event.event_id, MAKER, CHECKER)
    monkeypatch.setattr("client.exchange.desk.check_shown", lambda *_: None)
    assert desks["L02"].consent(event.event_id, MAKER, CHECKER).receipt
    desks.synced()
    assert desks["L03"].epochs() == (1, 2)
    known = desks["L03"].check(subject_of(PEOPLE[0]).identifiers)
    assert (known.answer, known.skipped) == (None, (2,))
    book = tmp_path / "book.csv"
    book.write_text(f"resident_id\n{PEOPLE[0].resident_id}\n")
    assert desks["L03"].screen(book).skipped == (2,)
    assert desks.listed("L01", PEOPLE[1])
    desks.synced()
    assert desks.severity("L02", PEOPLE[1]) == 1


def test_the_same_key_is_consented_to_whatever_its_generation() -> None:
    """Renewed between the proposal and the consent it is the same; other holders, or another key,
    are not (controls).
    """
    true = signed_keys(1)

    class Holders:
        shown = true

        def key_sets(self) -> dict[int, SignedKeys]:
            return {1: self.shown}

    proposed = MEMBER.open_epoch(1, true)
    renewed = replace(true, keys=replace(true.keys, generation=7))
    others = replace(true, holders=("K1", "K2", "K9"))
    another = signed_keys(1, seed="another")
    for shown, same in ((true, True), (renewed, True), (others, False), (another, False)):
        holders = Holders()
        holders.shown = shown
        if same:
            epoch_proposals.check_shown(holders, proposed)  # type: ignore[arg-type]
            continue
        with pytest.raises(OperatorError, match="do not show"):
            epoch_proposals.check_shown(holders, proposed)  # type: ignore[arg-type]
