"""A lead is told as one, opens nothing, and is listed by no verdict."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest

from client.commands.ring_lines import flag_document, flag_lines, own_document, own_line
from client.rings.contributed import Person
from client.rings.deciding import RingOffice
from client.rings.flags_file import COLUMNS
from client.rings.looking import Told, nearest, own_lead, own_word
from client.rings.outcomes import OwnRing
from shared.cases.ring_flag import RingFlag, lead_mark_of, mark_of, unpack
from shared.cases.sealed_key import SealedKey, with_pad
from shared.errors import InternalError, PeerError
from shared.tokens.identifiers import Canonical
from tests.case_lenders import CASE

RING, KEY, SUBJECT, NONCE = b"r" * 16, b"k" * 32, b"s" * 32, b"n" * 32
MINE, THEIRS = b"m" * 32, b"t" * 32
SAYS = "lead: in a ring by one lender's word that is not yours: look, do not act on it"


def flag(*, lead: bool = True, marks: tuple[bytes, ...] = (), key: bytes | None = None) -> RingFlag:
    four = (*marks, *(bytes([at]) * 16 for at in range(4 - len(marks)))) if marks else ()
    sealed = key and SealedKey(NONCE, tuple(sealed_for(mark, key) for mark in four))
    return RingFlag(
        RING, 1, ("device",), "strong", "60-79", (), bool(four), None, four, lead, sealed or None
    )


def sealed_for(mark: bytes, key: bytes) -> bytes:
    """As the desk does; in slots of no lender's, bytes that are nobody's."""
    for who in (MINE, THEIRS):
        if mark == mark_of(who, RING, SUBJECT):
            return with_pad(key, who, NONCE, RING, SUBJECT)
    return bytes(32)


def told(one: RingFlag, recognition: bytes) -> Told:
    """As `look_up` makes it."""
    from client.rings.looking import _told

    kept: Any = SimpleNamespace(recognition=recognition)
    return _told(CASE, one, kept, SUBJECT)


MEMBER_THERE = flag(marks=(mark_of(THEIRS, RING, SUBJECT),), key=KEY)
OWN_TIE = flag(lead=False, marks=(lead_mark_of(MINE, RING, SUBJECT),))


def test_a_flag_keeps_its_bit_and_size() -> None:
    """Packed and read again; a lead at distance 0 or 2 is what no desk makes."""
    for one in (flag(), MEMBER_THERE, OWN_TIE):
        assert unpack(one.pack()) == one
    assert len(flag().pack()) == len(replace(flag(), lead=False).pack())
    for distance in (0, 2):
        with pytest.raises(InternalError):
            replace(flag(), distance=distance).pack()
    packed = bytearray(flag().pack())
    packed[17] = 4
    with pytest.raises(PeerError):
        unpack(bytes(packed))


def test_whose_word_it_is_decides_who_reads_a_lead() -> None:
    """The lender whose mark it is reads a member, every other a lead; a mark of a lead makes one at
    its own lender only.
    """
    assert [told(MEMBER_THERE, who).standing for who in (MINE, THEIRS)] == ["lead", "member"]
    assert [told(OWN_TIE, who).standing for who in (MINE, THEIRS)] == ["lead", "near"]
    assert [told(flag(), who).standing for who in (MINE, THEIRS)] == ["lead", "lead"]
    assert told(flag(lead=False), MINE).standing == "near"
    assert not own_word(OWN_TIE, MINE, SUBJECT)
    assert own_lead(OWN_TIE, MINE, SUBJECT)


def test_a_lead_opens_nothing_and_is_listed_by_no_verdict() -> None:
    """Though the flag has a key for the lender whose word it is, who opens and lists (control)."""
    person = Person(SUBJECT, Canonical("resident_id", "somebody"), "A-1")
    for who, opens in ((MINE, False), (THEIRS, True)):
        own = OwnRing(CASE, RING, [(person, told(MEMBER_THERE, who))])
        assert own.key == (KEY if opens else None)
        opened: Any = SimpleNamespace(source=SimpleNamespace(told=own.told))
        listed = RingOffice.listed_by(object.__new__(RingOffice), opened, ())
        assert bool(listed) == opens


def test_whoever_reads_a_leads_flag_finds_no_key_in_it() -> None:
    """A changed program does not either: no 32 bytes of the flag are the key, and another lender's
    pad, or the right one of another flag, opens no slot. The control: the lender's own does.
    """
    packed, sealed = MEMBER_THERE.pack(), MEMBER_THERE.sealed
    assert KEY not in packed
    assert sealed is not None
    at = MEMBER_THERE.marks.index(mark_of(THEIRS, RING, SUBJECT))
    pads = ((MINE, NONCE, SUBJECT), (THEIRS, bytes(32), SUBJECT), (THEIRS, NONCE, bytes(32)))
    for mark, nonce, subject in pads:
        assert KEY not in {with_pad(one, mark, nonce, RING, subject) for one in sealed.slots}
    assert with_pad(sealed.slots[at], THEIRS, NONCE, RING, SUBJECT) == KEY
    assert MEMBER_THERE.key_for(THEIRS, SUBJECT) == KEY
    assert MEMBER_THERE.key_for(MINE, SUBJECT) is None


def test_a_lead_is_said_to_be_one() -> None:
    """In words that say what not to do, for scripts as its standing; before who is only near."""
    lead, near = told(MEMBER_THERE, MINE), told(flag(lead=False), MINE)
    assert any(SAYS in line for line in flag_lines(lead))
    assert not any("lead:" in line for line in flag_lines(near))
    assert [flag_document(one)["standing"] for one in (lead, near)] == ["lead", "near"]
    assert nearest([near, lead]) is lead
    person = Person(SUBJECT, Canonical("resident_id", "somebody"), "A-1")
    row = own_document(OwnRing(CASE, RING, [(person, lead), (person, near)]))
    assert (row["members"], row["leads"], row["near"], row["can_be_shown"]) == (0, 1, 1, False)
    assert "0 own members, 1 lead, 1 near" in own_line(row)
    assert "standing" in COLUMNS
