"""What is derived for a case joins nothing that it should not."""

from __future__ import annotations

import numpy as np
import pytest

from shared.cases.case_tokens import (
    Rows,
    attribute_tokens,
    degree_ids,
    flag_tags,
    pair_tags,
    ring_names,
    subject_tokens,
)
from shared.cases.degree import at_least, shared_by
from shared.errors import InternalError
from tests.case_lenders import outputs

ONE, TWO = b"1" * 16, b"2" * 16
PEOPLE = outputs([f"person {number}" for number in range(40)])
THINGS = outputs([f"thing {number // 4}" for number in range(40)])


def values(*columns: Rows) -> set[bytes]:
    """All 32 bytes that stand in these columns."""
    return {row.tobytes() for column in columns for row in column}


def test_two_cases_have_no_value_in_common() -> None:
    """Nor have bulletins, or rings' bodies; the same case joins itself (control)."""

    def all_of(case: bytes) -> set[bytes]:
        subjects = subject_tokens(case, PEOPLE)
        return values(
            subjects,
            attribute_tokens(case, THINGS),
            degree_ids(case, THINGS),
            pair_tags(case, THINGS, PEOPLE),
            flag_tags(case, 1, subjects),
            ring_names(b"r" * 16, subjects),
        )

    assert all_of(ONE) & all_of(TWO) == set()
    assert len(all_of(ONE) & all_of(ONE)) == 40 + 10 + 10 + 40 + 40 + 40


def test_counts_cannot_be_joined_with_the_graph() -> None:
    """Degree ids and pair tags are no tokens; plain tokens in their place join (control)."""
    graph = values(subject_tokens(ONE, PEOPLE), attribute_tokens(ONE, THINGS))
    counted = values(degree_ids(ONE, THINGS), pair_tags(ONE, THINGS, PEOPLE))
    plain = values(attribute_tokens(ONE, THINGS), subject_tokens(ONE, PEOPLE))
    assert counted & graph == set()
    assert len(plain & graph) == 50


def test_flags_of_two_bulletins_and_names_of_two_rings_do_not_join() -> None:
    """Only who has the subject's token finds its row again."""
    subjects = subject_tokens(ONE, PEOPLE)
    assert values(flag_tags(ONE, 1, subjects)) & values(flag_tags(ONE, 2, subjects)) == set()
    names = values(ring_names(b"r" * 16, subjects))
    assert names & values(ring_names(b"s" * 16, subjects), subjects) == set()


def test_a_pair_is_one_attribute_and_one_subject() -> None:
    """Another of either gives another tag; the same give the same at every lender."""
    thing, person = THINGS[:1], PEOPLE[:1]
    tag = values(pair_tags(ONE, thing, person))
    assert tag == values(pair_tags(ONE, thing.copy(), person.copy()))
    assert tag != values(pair_tags(ONE, thing, PEOPLE[1:2]))
    assert tag != values(pair_tags(ONE, THINGS[4:5], person))


def test_degrees_are_those_that_plain_counting_gives() -> None:
    """Over random pairs, given twice and in any order."""
    draw = np.random.default_rng(5)
    thing, person = draw.integers(0, 60, 150), draw.integers(0, 9, 150)
    ids = degree_ids(ONE, outputs([f"t{one}" for one in thing]))
    tags = pair_tags(
        ONE, outputs([f"t{one}" for one in thing]), outputs([f"p{one}" for one in person])
    )
    order = draw.permutation(300) % 150
    told = at_least(ids[order], tags[order])
    plain = {one: {p for t, p in zip(thing, person, strict=True) if t == one} for one in thing}
    assert [len(plain[one]) >= 2 for one in thing] == shared_by(told, ids).tolist()
    assert 0 < len(told) == sum(len(who) >= 2 for who in plain.values()) < len(plain)


def test_rows_of_another_width_are_our_own_fault() -> None:
    """Tokens are never hashed where outputs are meant."""
    with pytest.raises(InternalError):
        subject_tokens(ONE, PEOPLE[:, :32])
    with pytest.raises(InternalError):
        pair_tags(ONE, THINGS, PEOPLE[:3])
