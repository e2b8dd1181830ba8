"""What waits for a second institution is shown whole, to others only, as long as it can be signed;
on both databases.
"""

from dataclasses import replace

from shared.blacklist.events import File, Refile, check_signer
from shared.blacklist.waiting import WaitingEntry, WaitingProposal, read_waiting
from shared.secure_sum.encoding import text_of
from tests.blacklist_members import AUTHORITY, token
from tests.list_registry import Served, other_content


def shown(served: Served, code: str) -> list[WaitingEntry | WaitingProposal]:
    """What a member reads of what waits for it."""
    return [read_waiting(text_of(item)) for item in served.registry.waiting(code)]


def entry_shown(served: Served, code: str) -> WaitingEntry:
    """The one entry that waits for a member."""
    (item,) = shown(served, code)
    assert isinstance(item, WaitingEntry)
    return item


def is_of(item: WaitingEntry, event: File | Refile) -> bool:
    """Whether these are the event's rows, in its order."""
    return (item.tags, item.sealed) == (tuple(one.token for one in event.tokens), event.sealed)


def test_an_entry_is_shown_without_its_contributor(served: Served) -> None:
    """Others see it, its maker does not; what they compute from what is shown completes it."""
    filed = served.a.file(served.a.entry(severity=3, tokens=(token("s"), token("s", "phone"))))
    served.take(served.a, filed, served.a.approve(filed))
    assert shown(served, "L01") == []
    item = entry_shown(served, "L02")
    assert b"L01" not in text_of(item)
    assert is_of(item, filed)
    assert (item.reason_code, item.severity, item.epoch) == ("F101", 3, 1)
    served.take(served.b, served.b.approve_digest(item.name, item.digest))
    assert shown(served, "L02") == shown(served, "L03") == []
    assert served.own(served.a, item.name).corroborated == (1,)


def test_a_lie_about_it_is_approved_as_a_lie(served: Served) -> None:
    """Another severity, reason, row or rest than was filed gives a digest that no entry has; what
    was filed is taken (control).
    """
    served.take(served.a, served.a.file(served.a.entry(severity=3)))
    item = entry_shown(served, "L02")
    lies = (
        replace(item, severity=2),
        replace(item, reason_code="F102"),
        replace(item, epoch=2),
        replace(item, tags=(token("another").token,)),
        replace(item, sealed=(bytes(512),)),
        replace(item, rest=item.tags[0]),
    )
    for lie in lies:
        approve = served.b.approve_digest(lie.name, lie.digest)
        assert served.refused(served.b, approve) == "digest"
    served.take(served.b, served.b.approve_digest(item.name, item.digest))


def test_the_newest_tokens_are_shown_also_before_any_approval(served: Served) -> None:
    """An entry that is re-filed while it waits is shown by its new tokens, also once it has a
    second institution for the old ones; severity 2 never waits (control).
    """
    filed = served.a.file(served.a.entry("s", severity=3))
    served.take(served.a, filed)
    served.active(served.a, "other")
    assert is_of(entry_shown(served, "L02"), filed)
    served.open_epoch(2)
    moved = served.a.refile(filed.entry, (token("s", epoch=2),))
    served.take(served.a, moved)
    for _ in range(2):
        item = entry_shown(served, "L03")
        assert is_of(item, moved)
        assert item.epoch == 2
        served.answers(served.b, served.b.approve(filed))
    served.take(served.c, served.c.approve_digest(item.name, item.digest))
    assert shown(served, "L02") == []
    assert served.own(served.a, item.name).corroborated == (1, 2)
    served.restart()


def test_a_proposal_is_shown_as_its_maker_signed_it(served: Served) -> None:
    """Event, name, digest and member; whoever made it does not see it, nor anybody once it was
    consented to.
    """
    proposal = served.a.open_epoch(2)
    served.take(served.a, proposal)
    assert shown(served, "L01") == []
    (item,) = shown(served, "L02")
    assert isinstance(item, WaitingProposal)
    assert item.proposal == proposal
    assert check_signer(item.proposal, AUTHORITY.certificate, served.clock()).code == "L01"
    assert (item.kind, item.member, item.name) == ("OpenEpoch", "L01", proposal.event_id)
    assert served.refused(served.a, other_content(proposal, served.a)) == "other_content"
    consent = served.b.consent(proposal)
    assert consent.digest == item.digest
    served.take(served.b, consent)
    assert shown(served, "L02") == []


def test_proposals_are_shown_as_long_as_consent_is_taken(served: Served) -> None:
    """On the last day it is shown and taken, on the day after neither."""
    first, second = served.a.open_epoch(2), served.a.open_epoch(2)
    served.take(served.a, first, second)
    served.clock.forward(days=served.terms.consent_days)
    assert [item.name for item in shown(served, "L02")] == [first.event_id, second.event_id]
    served.take(served.b, served.b.consent(first))
    assert [item.name for item in shown(served, "L02")] == [second.event_id]
    served.clock.forward(days=1)
    assert shown(served, "L02") == []
    assert served.refused(served.b, served.b.consent(second)) == "too_late"
