"""Following a desk's bulletins, and what one of them says about people here."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from client.exchange.secret import Secret
from client.rings.contributed import Contributed, Person
from client.rings.looking import Told, look_up, own_word
from client.rings.opened_rings import OpenedRings
from client.rings.ring_desk import OwnRing, RingDesk
from server.cases.desk import Desk as CaseDesk
from shared.cases.bulletin import BulletinForkError, Head, content_of, read_content
from shared.cases.case import Case
from shared.cases.case_tokens import ring_names
from shared.cases.ring_flag import RingFlag, Tie, mark_of
from shared.errors import OperatorError, PeerError
from shared.rings.kinds import Kind
from shared.tokens.identifiers import Canonical
from tests.case_lenders import AUTHORITY, START, Desks, Lender
from tests.case_lenders import innocents as everybody_else
from tests.case_lenders import ring as planted
from tests.client.rings.near_desk import NearDesk, NearHolders, NearLender, lender
from tests.identities import fixed_random, identity_under


@pytest.fixture
def desks(tmp_path: Path) -> Iterator[Desks]:
    found = Desks(tmp_path / "D1")
    yield found
    found.store.close()


class Member:
    """L01 as a member with no list, over the desk in this process."""

    def __init__(self, folder: Path, desks: Desks) -> None:
        self.near = NearDesk(desks, "L01")
        holders = NearHolders()
        own = SimpleNamespace(
            own_folder=folder,
            context="Five lenders",
            holders=holders,
            writer=SimpleNamespace(secret=Secret(bytes(range(32)))),
            today=desks.clock.now.date(),
        )
        self.desk = RingDesk(
            own,  # type: ignore[arg-type]
            self.near,
            "D1",
            AUTHORITY.certificate,
            clock=desks.clock,
            random=fixed_random("member"),
        )


@pytest.fixture
def member(tmp_path: Path, desks: Desks) -> Iterator[Member]:
    found = Member(tmp_path / "own", desks)
    yield found
    found.desk.close()


def three() -> list[Lender]:
    lenders = [Lender(code) for code in ("L01", "L02", "L03")]
    planted(lenders)
    everybody_else(lenders)
    return lenders


def test_bulletins_are_fetched_once_and_followed(desks: Desks, member: Member) -> None:
    """Nothing at first; then each week's; what is there is not fetched again."""
    case = desks.open()
    (first,) = member.desk.sync()
    assert (first.version, first.versions) == (0, 0)
    lenders = three()
    for week in range(3):
        desks.week(case, lenders, week)
    (synced,) = member.desk.sync("spring")
    assert (synced.version, synced.versions) == (3, 3)
    member.near.content = None  # type: ignore[method-assign, assignment]
    assert member.desk.sync()[0].versions == 0
    assert member.desk.own_rings() == []


def other_branch(desks: Desks, head: Head) -> Head:
    """The same version, with another content: signed by the desk's own key."""
    identity = identity_under(AUTHORITY, "D1", "desk", START)
    return replace(head, content=bytes(32), signature=b"").signed(identity.private)


def test_a_fork_is_refused_and_both_words_are_kept(desks: Desks, member: Member) -> None:
    """Two bulletins of one version: nothing changes, and the evidence names both."""
    case = desks.open()
    desks.week(case, three())
    member.desk.sync()
    (head,) = desks.desk.heads(case.id, 0)
    member.near.heads = lambda case, since: [other_branch(desks, head)]  # type: ignore[method-assign]
    with pytest.raises(BulletinForkError, match="both are in") as refused:
        member.desk.sync()
    assert refused.value.known == head
    (known,) = member.desk.cases()
    assert known.head(desks.clock.now) == head
    assert len([*known.folder.glob("evidence/fork-1-*.json")]) == 1


def test_an_older_bulletin_than_known_is_refused(
    desks: Desks, member: Member, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A desk put back from a backup is told so; without a newer known one (control) it is taken."""
    case = desks.open()
    lenders = three()
    desks.week(case, lenders, 0)
    assert member.desk.sync()[0].version == 1
    desks.week(case, lenders, 1)
    member.desk.sync()
    whole = CaseDesk.heads
    monkeypatch.setattr(CaseDesk, "heads", lambda self, case, since: whole(self, case, since)[:1])
    standings = CaseDesk.standings
    monkeypatch.setattr(
        CaseDesk, "standings", lambda self: [replace(one, bulletin=1) for one in standings(self)]
    )
    with pytest.raises(PeerError, match="bulletin 2 is known"):
        member.desk.sync()


def test_a_changed_bulletin_answers_nothing_and_is_fetched_anew(
    desks: Desks, member: Member
) -> None:
    """A flipped bit in the copy stops answers; a sync mends it."""
    case = desks.open()
    desks.week(case, three())
    member.desk.sync()
    (known,) = member.desk.cases()
    path = known.folder / "bulletin.bin"
    content = bytearray(path.read_bytes())
    content[100] ^= 1
    path.write_bytes(content)
    with pytest.raises(OperatorError, match="ring sync"):
        member.desk.bulletins()
    member.desk.sync()
    assert len(member.desk.bulletins()) == 1


def test_content_that_is_not_what_was_signed_is_not_kept(desks: Desks, member: Member) -> None:
    """A desk that sends other bytes than its head signs changes nothing here."""
    case = desks.open()
    desks.week(case, three())
    whole = member.near.content
    member.near.content = lambda *words: whole(*words).swapcase()  # type: ignore[method-assign]
    with pytest.raises(PeerError, match="not what its head signs"):
        member.desk.sync()
    with pytest.raises(OperatorError, match="no bulletin here yet"):
        member.desk.check([Canonical("resident_id", "somebody")])


def test_a_case_that_says_something_else_than_before_is_refused(
    desks: Desks, member: Member
) -> None:
    """What members agreed to cannot change under them."""
    desks.open()
    member.desk.sync()
    (standing,) = member.near.cases()
    identity = identity_under(AUTHORITY, "D1", "desk", START)
    other = replace(standing.signed, case=replace(standing.signed.case, minimum_lenders=2))
    signed = other.signed(identity.private)
    member.near.cases = lambda: [replace(standing, signed=signed)]  # type: ignore[method-assign]
    with pytest.raises(PeerError, match="something else"):
        member.desk.sync()


RING = bytes(range(16))
DEVICE, CARD = Canonical("device", "tie"), Canonical("device", "second tie")


@pytest.fixture
def own(tmp_path: Path, desks: Desks) -> Iterator[NearLender]:
    with lender(tmp_path / "L01", desks, desks.open(), "L01") as found:
        yield found


def flag_of(own: NearLender, *ties: tuple[Canonical, Kind, int]) -> RingFlag:
    tokens = own.tokens.attributes(own.case, [one for one, _, _ in ties])
    names = ring_names(RING, tokens)
    return RingFlag(
        RING,
        1,
        ("device",),
        "strong",
        "80-89",
        tuple(
            Tie(name.tobytes(), int(kind), week)
            for name, (_, kind, week) in zip(names, ties, strict=True)
        ),
        attached=True,
        marks=(mark_of(own.kept.recognition, RING, own.token("p1")), *[bytes(16)] * 3),
    )


def test_only_the_own_mark_makes_an_attached_customer_a_member(own: NearLender) -> None:
    """Another lender's mark, of the very same observation, leaves the customer one step away, and
    so does the own one of another person or ring; the own one (control) does not.
    """
    own.saw(("p1", Kind.DEVICE, "tie", 2))
    flag = flag_of(own, (DEVICE, Kind.DEVICE, 2))
    secret, subject = own.kept.recognition, own.token("p1")
    assert own_word(flag, secret, subject)
    assert not own_word(flag, secret, own.token("p2"))
    assert not own_word(replace(flag, ring=bytes(16)), secret, subject)
    rival = mark_of(bytes(32), RING, subject)
    assert not own_word(replace(flag, marks=(rival, *[bytes(16)] * 3)), secret, subject)


def test_a_flag_is_found_under_the_own_token_only(own: NearLender, desks: Desks) -> None:
    """Of many people, the one with a row is told, and its distance as it counts here."""
    own.saw(("p1", Kind.DEVICE, "tie", 2))
    flag = flag_of(own, (DEVICE, Kind.DEVICE, 2))
    case: Case = own.case
    draw = fixed_random("bulletin")
    content, rows, bodies = content_of(case, 1, {own.token("p1"): flag}, {}, draw)
    head = SimpleNamespace(
        version=1, rows=rows, bodies=bodies, size=len(content), content=_digest(content)
    )
    bulletin = read_content(head, content)  # type: ignore[arg-type]
    asked = np.frombuffer(b"".join(map(own.token, ("p0", "p1", "p2"))), np.uint8).reshape(-1, 32)
    found = look_up(bulletin, case, own.kept, asked)
    assert {at: one.distance for at, one in found.items()} == {1: 0}
    assert found[1].action_hint == "review"
    stranger = Contributed(own.kept_folder, Secret(bytes(32)), draw)
    assert look_up(bulletin, case, stranger, asked)[1].distance == 1
    stranger.close()


def _digest(content: bytes) -> bytes:
    from hashlib import sha256

    return sha256(content).digest()


def test_a_ring_of_which_only_the_edge_is_known_cannot_be_opened(
    desks: Desks, member: Member, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A lender whose customers are one step away is told so, not shown the ring."""
    case = desks.open()
    near = RingFlag(RING, 1, ("device",), "strong", "80-89")
    person = Person(bytes(32), Canonical("resident_id", "somebody"), "A-1")
    told = OwnRing(case, RING, [(person, Told(case, near, 1, False))])
    monkeypatch.setattr(RingDesk, "own_rings", lambda self: [told])
    with pytest.raises(OperatorError, match="only a lead or near it"):
        OpenedRings(member.desk).named(RING.hex()[:6])
    with pytest.raises(OperatorError, match="no ring with customers of this lender"):
        OpenedRings(member.desk).named("ffffff")


def test_a_desk_at_a_week_of_no_case_is_believed_nothing(desks: Desks, member: Member) -> None:
    """Whatever is asked of it; the true standing is taken (control)."""
    desks.open()
    (standing,) = member.near.cases()
    assert member.desk.refresh()
    member.near.cases = lambda: [replace(standing, week=10**6)]  # type: ignore[method-assign]
    with pytest.raises(PeerError, match="does not have"):
        member.desk.refresh()


def test_a_closed_case_is_told_as_one_and_takes_nothing(desks: Desks, member: Member) -> None:
    """By its last bulletin, whose flags stay readable; before (control) it says neither."""
    case = desks.open()
    desks.week(case, three())
    (before,) = member.desk.sync()
    assert (before.closed, before.over) == (False, False)
    desks.desk.close(case.id)
    with pytest.raises(OperatorError, match="was closed by its desk: nothing was sent"):
        member.desk.send("spring")
    (synced,) = member.desk.sync()
    assert (synced.version, synced.closed, synced.over) == (2, True, True)
    assert member.desk.check([Canonical("resident_id", "nobody")]) == []
    member.near.cases = list  # type: ignore[method-assign]
    assert member.desk.sync()[0].closed  # when the desk has forgotten it, too
    with pytest.raises(OperatorError, match="is over: nothing was sent"):
        member.desk.send("spring")
