"""Two colluding members propose a key epoch that no key holder has; on both databases."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta

import pytest

from server.authority import issue
from server.registry.epoch_admission import EpochAdmission
from shared.blacklist.events import MOST_EVENT_BYTES
from shared.blacklist.lifecycle import RefusedError
from shared.secure_sum.encoding import text_of
from shared.tokens.ceremony_statements import MOST_HOLDERS
from shared.tokens.signed_keys import SignedKeys, confirm, gathered
from shared.tokens.sodium import Sodium
from tests.blacklist_members import (
    AUTHORITY,
    CONSORTIUM,
    DAYS,
    FOUNDED,
    HOLDERS,
    Clock,
    Lender,
    member,
    signed_keys,
)
from tests.identities import NOW, fixed_random
from tests.list_registry import Served

OTHERS = ("K4", "K5", "K6")


@pytest.fixture
def served(list_url: str) -> Iterator[Served]:
    """A registry with the holders' first key in use."""
    served = Served(list_url)
    served.found()
    yield served
    served.close()


def unsigned() -> SignedKeys:
    """A key of the colluders' own, and signatures that are none."""
    return replace(signed_keys(2), signatures=(bytes(64),) * 3)


def signed_by_lenders() -> SignedKeys:
    """Under the colluders' own certificates, which are no holders'."""
    keys = signed_keys(2).keys
    liars = [member(code) for code in ("L01", "L02", "L03")]
    said = [confirm(one, keys, HOLDERS) for one in liars]
    return gathered(said, [one.member.certificate for one in liars])


def one_short() -> SignedKeys:
    """All holders but one signed."""
    true = signed_keys(2)
    return replace(true, signatures=(*true.signatures[:2], true.signatures[0]))


def renumbered() -> SignedKeys:
    """The key of the first epoch, signed by all, under another number."""
    first = signed_keys(1)
    return replace(first, keys=replace(first.keys, epoch=2))


def not_of_one_key() -> SignedKeys:
    """Signed by all, but its shares are of several keys: each quorum would answer otherwise."""
    keys = replace(signed_keys(2).keys, public=signed_keys(3).keys.public)
    holders = [member(code, "keyholder") for code in HOLDERS]
    said = [confirm(one, keys, HOLDERS) for one in holders]
    return gathered(said, [one.member.certificate for one in holders])


BOGUS: dict[str, Callable[[], SignedKeys]] = {
    "nobody signed": unsigned,
    "lenders signed": signed_by_lenders,
    "one holder did not sign": one_short,
    "the old key under a new number": renumbered,
    "shares of several keys": not_of_one_key,
    "other holders": lambda: signed_keys(2, holders=OTHERS),
    "another consortium": lambda: signed_keys(2, context="Another ring"),
}


@pytest.mark.parametrize("bogus", BOGUS)
def test_it_is_not_even_proposed(served: Served, bogus: str) -> None:
    """Whatever is missing: refused, nothing waits, no epoch opens. The holders' own second key is
    taken (control).
    """
    proposal = served.a.open_epoch(2, BOGUS[bogus]())
    assert served.refused(served.a, proposal) == "keys"
    assert served.refused(served.b, served.b.consent(proposal)) == "proposal"
    assert served.publish().epochs == (1,)
    assert list(served.registry.waiting("L03")) == []
    served.open_epoch(2)
    assert served.publish().epochs == (1, 2)


@pytest.mark.parametrize("bogus", ["nobody signed", "other holders"])
def test_without_admission_it_opens(
    served: Served, monkeypatch: pytest.MonkeyPatch, bogus: str
) -> None:
    """Positive control: with the check switched off two members open an epoch that nobody can
    answer under, every lender is told of it, and the real second key is refused.
    """
    monkeypatch.setattr(EpochAdmission, "check", lambda *_: None)
    served.open_epoch(2, BOGUS[bogus]())
    assert served.publish().epochs == (1, 2)
    assert served.refused(served.a, served.a.open_epoch(2)) == "epoch"
    served.restart()


def test_the_operator_names_the_holders(list_url: str) -> None:
    """As `registry.toml` says: those only, from the first epoch on and when they change."""
    served = Served(list_url, holders=OTHERS)
    try:
        assert served.refused(served.a, served.a.open_epoch(1)) == "keys"
        served.open_epoch(1, signed_keys(1, holders=OTHERS))
        assert served.refused(served.a, served.a.open_epoch(2)) == "keys"
        served.holders = frozenset(HOLDERS)
        served.restart()
        served.open_epoch(2)
        assert served.publish().epochs == (1, 2)
    finally:
        served.close()


def admission(clock: Clock, **named: object) -> EpochAdmission:
    return EpochAdmission(AUTHORITY.certificate, clock, Sodium(), **named)  # type: ignore[arg-type]


def test_a_revoked_holder_and_an_ended_certificate_count_for_nothing() -> None:
    """The same key set is taken before (control)."""
    proposal, clock = Lender.of("L01").open_epoch(1), Clock()
    admission(clock).check(proposal, ())
    with pytest.raises(RefusedError, match="revoked"):
        admission(clock, revoked={"K2"}).check(proposal, ())
    clock.now = FOUNDED + timedelta(days=DAYS + 1)
    with pytest.raises(RefusedError, match=r"K1: .*expired"):
        admission(clock).check(proposal, ())


def test_the_operator_names_the_consortium() -> None:
    """A key set of another one is refused, though the same holders signed it."""
    proposal = Lender.of("L01").open_epoch(1)
    admission(Clock(), context=CONSORTIUM).check(proposal, ())
    with pytest.raises(RefusedError, match="another consortium"):
        admission(Clock(), context="Another ring").check(proposal, ())


@pytest.mark.parametrize("count", [3, 9, MOST_HOLDERS])
def test_an_event_has_room_for_the_holders(count: int) -> None:
    """As many as make a key together, with all certificates and signatures."""
    holders = tuple(f"HOLDER-{number:02}" for number in range(count))
    proposal = Lender.of("L01").open_epoch(1, signed_keys(1, holders=holders))
    assert len(text_of(proposal)) <= MOST_EVENT_BYTES


def short_lived(days: int) -> SignedKeys:
    """The first key, its holders certified for some days from today only."""
    random, certificates = fixed_random("renewed"), []
    for code in HOLDERS:
        own = member(code, "keyholder").member.public
        made = issue(AUTHORITY, code, "keyholder", own, days=days, now=NOW, random=random)
        certificates.append(made)
    return replace(signed_keys(1), certificates=tuple(certificates))


def test_a_log_is_read_again_when_certificates_have_ended(list_url: str) -> None:
    """The holders' certificates are over, and a restart that compares everything takes the epoch
    as it was; nobody signs that key set anew. Proposed only then, it is refused (control).
    """
    keys = short_lived(30)
    served = Served(list_url)
    try:
        late = served.a.open_epoch(1, keys)
        served.open_epoch(1, keys)
        served.clock.forward(days=31)
        served.restart()
        assert served.publish().epochs == (1,)
        with pytest.raises(RefusedError, match="expired"):
            admission(served.clock).check(late, ())
    finally:
        served.close()
