"""What a lender is told: classes and bands, never a decline."""

from collections.abc import Sequence
from datetime import date
from typing import Any, get_args, get_type_hints

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.blacklist.answer import Answer, Contributors, Hit, Recency, Strength, answer_of
from shared.blacklist.entry import SubjectRole
from shared.blacklist.reasons import Confidence, ListClass, ReasonClass
from shared.blacklist.record import Record
from shared.blacklist.rows import NO_FLAG, Flag
from tests.blacklist_members import TODAY, hashed


def hit(kind: str = "resident_id", who: str = "a", flags: Flag = NO_FLAG, **other: Any) -> Hit:
    """A hit on one row."""
    fields: dict[str, Any] = {
        "list_class": ListClass.FRAUD_CONFIRMED,
        "reason_class": ReasonClass.FIRST_PARTY,
        "severity": 2,
        "confidence": Confidence.CONFIRMED,
        "event_end": date(2031, 4, 1),
        "role": SubjectRole.SUBJECT,
        "mark": hashed(f"mark {who}"),
    }
    return Hit(kind, hashed(kind), hashed(f"row {who}"), flags, Record(**fields | other))


def answer(*hits: Hit) -> Answer:
    """The answer for hits, of which there are some."""
    found = answer_of(hits, TODAY)
    assert found is not None
    return found


def test_no_hit_no_answer() -> None:
    """Nothing is made up."""
    assert answer_of([], TODAY) is None


@given(
    st.lists(
        st.builds(
            hit,
            kind=st.sampled_from(["phone", "device", "resident_id", "bank_card"]),
            who=st.sampled_from("abcdefgh"),
            flags=st.sampled_from([NO_FLAG, Flag.DISPUTED, Flag.CORROBORATED]),
            list_class=st.sampled_from(list(ListClass)),
            severity=st.integers(1, 3),
        ),
        min_size=1,
        max_size=9,
    )
)
def test_the_only_hint_is_a_review(hits: list[Hit]) -> None:
    """Whatever was hit; severity 3 shows only where a second institution stands behind it."""
    found = answer(*hits)
    assert found.action_hint == "review"
    assert get_args(get_type_hints(Answer)["action_hint"]) == ("review",)
    if not any(one.flags & Flag.CORROBORATED for one in hits):
        assert found.severity <= 2
    assert found.protective == any(
        one.record.list_class is ListClass.VICTIM_PROTECTIVE for one in hits
    )


def test_severity_three_needs_the_registrys_word() -> None:
    """A contributor's own claim reads as 2; with the flag it is 3 (control)."""
    assert answer(hit(severity=3)).severity == 2
    assert answer(hit(severity=3, flags=Flag.CORROBORATED)).severity == 3


def test_a_victim_never_reads_as_bad() -> None:
    """Alone it is protective; beside a fraud it adds neither contributor nor strength to it."""
    victim = hit("bank_card", "v", list_class=ListClass.VICTIM_PROTECTIVE)
    assert answer(victim).hit_class is ListClass.VICTIM_PROTECTIVE
    both = answer(victim, hit())
    assert (both.hit_class, both.protective) == (ListClass.FRAUD_CONFIRMED, True)
    assert both.strength is Strength.SINGLE


@pytest.mark.parametrize(
    ("kinds", "expected"),
    [
        (["phone"], Strength.WEAK),
        (["phone", "device"], Strength.WEAK),
        (["resident_id"], Strength.SINGLE),
        (["resident_id", "phone"], Strength.SINGLE),
        (["resident_id", "bank_card"], Strength.STRONG),
    ],
)
def test_match_strength(kinds: list[str], expected: Strength) -> None:
    """Two strong kinds, one, or phone and device only."""
    assert answer(*(hit(kind) for kind in kinds)).strength is expected


@pytest.mark.parametrize(
    ("count", "expected"),
    [(1, Contributors.FEW), (2, Contributors.FEW), (3, Contributors.SOME), (6, Contributors.MANY)],
)
def test_contributors_come_in_bands(count: int, expected: Contributors) -> None:
    """Of one tag: the same contributor under two tags is not two."""
    hits = [hit("resident_id", str(number)) for number in range(count)]
    assert answer(*hits, hit("bank_card", "other")).contributors is expected


@pytest.mark.parametrize(
    ("end", "expected"),
    [
        (date(2031, 3, 1), Recency.UNDER_3),
        (date(2031, 2, 1), Recency.UNDER_12),
        (date(2030, 5, 1), Recency.UNDER_36),
        (date(2028, 5, 1), Recency.OLDER),
    ],
)
def test_recency_comes_in_bands(end: date, expected: Recency) -> None:
    """By months."""
    assert answer(hit(event_end=end)).recency is expected


def test_a_dispute_shows() -> None:
    """At any of the hits, also with an annotation."""
    assert answer(hit(), hit(who="b", flags=Flag.DISPUTED)).disputed
    assert answer(hit(), hit(who="b", flags=Flag.ANNOTATED)).annotated
    assert not answer(hit()).disputed


def of_worst(hits: Sequence[Hit]) -> Answer:
    """The earlier rule: only what is of the worst class is looked at."""
    worst = answer(*hits).hit_class
    return answer(*(one for one in hits if one.record.list_class is worst))


def test_a_slight_row_of_a_worse_class_hides_no_grave_one() -> None:
    """Severity 3, its dispute and its annotation show beside a row of severity 1 that anybody may
    file; by the rows of the worst class alone they would not.
    """
    flags = Flag.CORROBORATED | Flag.DISPUTED | Flag.ANNOTATED
    grave = hit(who="g", flags=flags, severity=3, list_class=ListClass.FRAUD_SUSPECTED)
    slight = hit(who="s", severity=1)
    found = answer(grave, slight)
    assert (found.hit_class, found.severity) == (ListClass.FRAUD_CONFIRMED, 3)
    assert (found.disputed, found.annotated) == (True, True)
    earlier = of_worst([grave, slight])
    assert (earlier.severity, earlier.disputed, earlier.annotated) == (1, False, False)


def test_a_victims_row_says_nothing_about_a_fraud() -> None:
    """Neither its severity nor its dispute; alone it says both (control)."""
    victim = hit(who="v", flags=Flag.DISPUTED, severity=2, list_class=ListClass.VICTIM_PROTECTIVE)
    both = answer(victim, hit(severity=1))
    assert (both.severity, both.disputed) == (1, False)
    assert (answer(victim).severity, answer(victim).disputed) == (2, True)
