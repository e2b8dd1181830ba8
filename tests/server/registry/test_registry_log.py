"""The registry's log: receipts, replays, roles; on both databases."""

from dataclasses import replace

import pytest

from server.registry.registry import Refusal
from shared.blacklist.events import Outcome
from shared.blacklist.receipt import BEGINNING, Receipt, log_head, read_receipt
from shared.blacklist.state import EntryState
from shared.blacklist.transitions import Status
from shared.errors import OperatorError, PeerError
from shared.secure_sum.encoding import text_of
from tests.blacklist_members import REGISTRY, Lender, member, unsigned
from tests.list_registry import IDENTITY, Served


def test_a_receipt_is_signed_and_places_the_event_in_a_chain(served: Served) -> None:
    """Heads follow from each other, from the beginning."""
    filed = served.a.file(served.a.entry())
    first, second = served.take(served.a, filed, served.a.approve(filed))
    public = IDENTITY.member.public
    assert read_receipt(text_of(first), REGISTRY, public, filed.event_id, first.digest) == first
    assert second.head == log_head(first.head, second.seq, second.received, second.digest)
    with pytest.raises(PeerError):
        read_receipt(text_of(replace(first, seq=9)), REGISTRY, public, filed.event_id, first.digest)
    assert first.seq == 3
    assert first.head != BEGINNING


def test_the_same_event_twice_has_the_same_receipt(served: Served) -> None:
    """Also after a restart, much later, and after it was undone; nothing is filed twice."""
    filed = served.active(served.a, "somebody")[0]
    (first,) = served.take(served.a, filed)
    served.take(served.a, served.a.withdraw(filed.entry.entry_id))
    served.clock.forward(days=100)
    served.publish()  # erases the tokens
    served.restart()
    (again,) = served.take(served.a, filed)
    assert text_of(again) == text_of(first)
    assert served.registry.own("L01") == []


def test_other_content_under_the_same_name_is_refused(served: Served) -> None:
    """An event_id is an event's for good."""
    filed = served.active(served.a, "somebody")[0]
    approve = served.a.approve(filed)
    again = replace(approve, event_id=filed.event_id)
    assert served.refused(served.a, served.a.sign(again)) == "other_content"


def test_a_lender_submits_under_its_own_code_only(served: Served) -> None:
    """Another's event, an event for another list, a foreign signature: each is refused."""
    filed = served.a.file(served.a.entry())
    assert served.refused(served.b, filed) == "not_yours"
    assert served.refused(served.a, unsigned(filed)) == "malformed"
    elsewhere = replace(served.a.file(served.a.entry()), registry="REG2")
    assert served.refused(served.a, served.a.sign(elsewhere)) == "registry"
    forged = served.b.sign(replace(filed, certificate=served.b.identity.member.certificate))
    assert served.refused(served.a, forged) == "malformed"
    coordinator = Lender(member("L01", "coordinator"))
    assert served.refused(served.a, coordinator.file(coordinator.entry())) == "malformed"
    served.take(served.a, filed)


def test_one_bad_event_does_not_spoil_its_neighbours(served: Served) -> None:
    """Each is judged for itself, in order, after those before it."""
    filed = served.a.file(served.a.entry())
    approve = served.a.approve(filed)
    answers = served.answers(served.a, approve, filed, approve, approve)
    assert [isinstance(answer, Receipt) for answer in answers] == [False, True, True, True]
    assert answers[2] == answers[3]


def test_a_refusal_leaves_no_trace(served: Served) -> None:
    """The refused event may be right later."""
    filed = served.a.file(served.a.entry(severity=3))
    approve = served.b.approve(filed)
    assert served.refused(served.b, approve) == "unknown"
    served.take(served.a, filed)
    served.take(served.b, approve)
    (own,) = served.registry.own("L01")
    assert (own.second, own.status) == ("L02", Status.PENDING_REVIEW)


def test_a_stripped_event_is_not_taken(served: Served) -> None:
    """An entry without its sealed records would answer nobody."""
    filed = replace(served.a.file(served.a.entry()), sealed=())
    assert served.refused(served.a, served.a.sign(filed)) == "malformed"


def test_anything_else_is_refused_and_the_next_event_is_taken(served: Served) -> None:
    """Texts that are no events."""
    for text in (b"", b"{}", b'{"":"File"}', b"\xff" * 99, b"[" * 5000, b"x" * 40_000):
        (answer,) = served.registry.submit("L01", [text])
        assert isinstance(answer, Refusal)
        assert answer.reason == "malformed"
    with pytest.raises(PeerError, match="at a time"):
        served.registry.submit("L01", [b"{}"] * 65)
    served.active(served.a, "somebody")


def test_the_state_in_the_database_is_the_state_of_the_fold(served: Served) -> None:
    """After every kind of event, and a restart that compares everything."""
    filed = served.active(served.a, "r", "s", "t", severity=3)
    names = [one.entry.entry_id for one in filed]
    served.take(served.b, served.b.dispute(filed[0]), served.b.dispute(filed[1]))
    served.take(served.a, served.a.resolve(names[0], Outcome.ANNOTATED))
    served.take(served.a, served.a.withdraw(names[2]))
    served.publish()
    served.clock.forward(days=21)
    served.publish()
    served.restart()
    own = {entry.entry_id: entry for entry in served.registry.own("L01")}
    assert {name: own[name].status for name in names[:2]} == {
        names[0]: Status.ACTIVE,
        names[1]: Status.SUSPENDED,
    }
    assert all(isinstance(entry, EntryState) for entry in own.values())


def test_the_clock_of_the_log_never_runs_backwards(served: Served) -> None:
    """A machine whose clock is set back goes on counting from where it was."""
    (first,) = served.take(served.a, served.a.file(served.a.entry("x")))
    served.clock.forward(hours=-20)
    (second,) = served.take(served.a, served.a.file(served.a.entry("y")))
    assert second.received == first.received
    served.restart()


def test_one_process_serves_a_list(served: Served, url: str) -> None:
    """A second one is told so; so is one of another registry or with other terms."""
    with pytest.raises(OperatorError, match="another registry is using"):
        Served(url)
    served.close()
    with pytest.raises(OperatorError, match="its terms differ"):
        Served(url, terms=replace(served.terms, dispute_days=99))
    served.open()
