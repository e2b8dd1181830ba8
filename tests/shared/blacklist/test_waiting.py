"""What waits for a second institution, as text from a registry that nobody trusts."""

from dataclasses import replace
from typing import Any

import pytest

from shared.blacklist.events import MOST_EVENT_BYTES, event_digest, stripped
from shared.blacklist.waiting import (
    WaitingEntry,
    WaitingProposal,
    read_waiting,
    waiting_entry,
)
from shared.errors import PeerError
from shared.secure_sum.encoding import text_of
from tests.blacklist_members import Lender, hashed, token
from tests.list_in_memory import Exchange

LENDER = Lender.of("L01")


@pytest.fixture(scope="module")
def shown() -> WaitingEntry:
    """What an honest registry shows of an entry."""
    exchange = Exchange()
    filed = exchange.a.file(exchange.a.entry(tokens=(token("s"), token("s", "phone")), severity=3))
    exchange.take(filed)
    return waiting_entry(exchange.entry(filed.entry.entry_id), filed)


def test_an_entry_has_one_text(shown: WaitingEntry) -> None:
    """Read, it is the same and gives the same digest, which is not in the text."""
    again = read_waiting(text_of(shown))
    assert again == shown
    assert again.digest == shown.digest
    with pytest.raises(PeerError):
        read_waiting(text_of(shown) + b" ")


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("name", b"1234567890123456"),
        ("name", hashed("n", 15)),
        ("rest", hashed("r", 31)),
        ("reason_code", "F999"),
        ("severity", 4),
        ("severity", True),
        ("epoch", 0),
        ("epoch", 2**31),
        ("tags", ()),
        ("tags", (hashed("one"),)),
        ("tags", (hashed("one"), hashed("one"))),
        ("tags", (hashed("one"), hashed("two", 31))),
        ("sealed", (hashed("one", 512), hashed("two", 511))),
        ("sealed", ()),
    ],
)
def test_a_field_that_cannot_be_is_refused(shown: WaitingEntry, field: str, value: Any) -> None:
    """When it is made as when it is read."""
    with pytest.raises(PeerError):
        replace(shown, **{field: value})


def test_an_erased_entry_is_not_shown() -> None:
    """Names of rows would stand where tags belong."""
    exchange = Exchange()
    filed = exchange.a.file(exchange.a.entry(severity=3))
    exchange.take(filed)
    with pytest.raises(PeerError):
        waiting_entry(exchange.entry(filed.entry.entry_id), stripped(filed))  # type: ignore[arg-type]


def test_a_proposal_is_the_whole_event_and_says_who_made_it() -> None:
    """Of each kind; name and digest are computed from it."""
    made = [LENDER.open_epoch(2), LENDER.retire_epoch(1), LENDER.withdraw(hashed("e", 16))]
    for event in made:
        waiting = read_waiting(text_of(WaitingProposal(text_of(event))))
        assert isinstance(waiting, WaitingProposal)
        assert waiting.proposal == event
        assert (waiting.name, waiting.digest) == (event.event_id, event_digest(event))
        assert (waiting.kind, waiting.member) == (type(event).__name__, "L01")


def test_anything_else_is_no_proposal() -> None:
    """Another event, no event, one too long, another statement."""
    dispute = LENDER.dispute(hashed("row"))
    for wrong in (text_of(dispute), b"", b"{}", b"x" * (MOST_EVENT_BYTES + 1)):
        with pytest.raises(PeerError):
            WaitingProposal(wrong)
    for text in (b"", b"{}", text_of(dispute), b'{"":"WaitingProposal","event":1}'):
        with pytest.raises(PeerError):
            read_waiting(text)
