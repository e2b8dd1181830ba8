"""Synthetic applicants: nobody real, the same under a seed, and sharing what people share."""

from datetime import date

import numpy as np
import pytest

from server.simulation.identities import KINDS, Applicant, Cast, Habits, cast_of
from shared.tokens.identifiers import canonical

HABITS = Habits(applicants=60, planted=3)
RNG = np.random.default_rng(1)
LENDER = RNG.choice(np.array(["L01", "L02", "L03", "L04"], dtype=object), 1200)
BAD = (RNG.random(1200) < 0.4).astype(np.int8)
ORDER = RNG.permutation(1200)


def made(seed: int = 0) -> Cast:
    return cast_of(LENDER, BAD, ORDER, seed=seed, habits=HABITS)


def everybody(cast: Cast) -> list[Applicant]:
    return [one for side in (cast.planted, cast.applicants) for of in side.values() for one in of]


@pytest.fixture(scope="module")
def cast() -> Cast:
    return made()


def test_the_same_seed_gives_the_same_people_and_another_one_others(cast: Cast):
    assert made() == cast
    texts = {text for one in everybody(cast) for text in one.texts.values()}
    assert not texts & {text for one in everybody(made(1)) for text in one.texts.values()}


def test_identifiers_are_canonical_as_they_stand_and_cannot_be_anybodys(cast: Cast):
    beginnings = dict(zip(KINDS, ("99", "160", "fp-simulation:", "9000"), strict=True))
    for one in everybody(cast):
        assert set(one.texts) == set(KINDS)
        for kind, text in one.texts.items():
            found = canonical(kind, text, today=date(2026, 1, 1))
            assert found.value == text
            assert set(found.warnings) <= {"unknown_region"}
            assert text.startswith(beginnings[kind])


def test_planted_frauds_are_older_bad_rows_and_applicants_the_newest(cast: Cast):
    age = {int(row): at for at, row in enumerate(ORDER)}
    for code in cast.planted:
        planted = [one.row for one in cast.planted[code]]
        newest = [one.row for one in cast.applicants[code]]
        assert len(planted) == HABITS.planted
        assert len(newest) == HABITS.applicants
        assert all(LENDER[row] == code for row in (*planted, *newest))
        assert BAD[planted].all()
        assert max(age[row] for row in planted) < min(age[row] for row in newest)


def test_every_fraud_applies_elsewhere_with_something_that_gives_it_away(cast: Cast):
    for code, frauds in cast.planted.items():
        elsewhere = [
            one for other in cast.applicants if other != code for one in cast.applicants[other]
        ]
        for fraud in frauds:
            shared = [_shared(fraud, one) for one in elsewhere if one.fraud]
            assert sum(map(bool, shared)) == HABITS.shops


def test_a_reissued_number_makes_an_innocent_applicant_share_a_telephone_alone(cast: Cast):
    for frauds in cast.planted.values():
        innocent = [one for of in cast.applicants.values() for one in of if not one.fraud]
        shared = [kinds for one in innocent if (kinds := _shared(frauds[-1], one))]
        assert shared == [{"phone"}]


def test_some_innocent_people_apply_at_two_lenders(cast: Cast):
    whose: dict[str, set[str]] = {}
    for code, rows in cast.applicants.items():
        for one in rows:
            if not one.fraud:
                whose.setdefault(one.texts["resident_id"], set()).add(code)
    twice = [codes for codes in whose.values() if len(codes) == 2]
    assert len(twice) == len(cast.applicants) * HABITS.applicants // HABITS.twice


def test_no_identifier_is_shown_by_repr(cast: Cast):
    shown = repr(cast)
    assert not any(text in shown for one in everybody(cast) for text in one.texts.values())


def test_a_lender_without_bad_rows_plants_nobody_and_one_with_few_rows_screens_a_third():
    lender = np.array(["L01"] * 9 + ["L02"] * 30, dtype=object)
    bad = (lender == "L02").astype(np.int8)
    cast = cast_of(lender, bad, np.arange(39), seed=0)
    assert cast.planted["L01"] == ()
    assert [len(cast.applicants[code]) for code in ("L01", "L02")] == [3, 10]


def _shared(one: Applicant, other: Applicant) -> set[str]:
    return {kind for kind in KINDS if one.texts[kind] == other.texts[kind]}
