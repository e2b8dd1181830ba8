"""The terms of a run: round trip, digest, and every refusal."""

import json
from dataclasses import replace

import pytest

from shared.errors import OperatorError
from shared.training.agreement import FLOOR, Agreement, agreement_from
from tests.shared.training.synthetic_book import SCHEMA

TERMS = Agreement("spring", SCHEMA)
OTHER = {
    "name": "autumn",
    "schema": replace(SCHEMA, version=2),
    "family": "blend",
    "seed": 1,
    "test_share": 0.3,
    "validation_share": 0.2,
    "time_cutoff": 2006.0,
    "rounds": 5,
    "minimum_lenders": 4,
    "sums": "plain",
    "minimum_cell": 3,
}


def test_the_json_form_and_back_is_the_same_agreement() -> None:
    """Equal, with an equal digest, also with every term changed."""
    for terms in (TERMS, replace(TERMS, **OTHER), replace(TERMS, minimum_lenders=6)):
        again = agreement_from(json.loads(json.dumps(terms.to_dict())))
        assert again == terms
        assert again.digest() == terms.digest()


def test_the_digest_follows_every_term() -> None:
    """Changing any one term, or a column of the schema, gives a digest of its own."""
    variants = [replace(TERMS, **{term: value}) for term, value in OTHER.items()]
    variants.append(replace(TERMS, profile="production", minimum_lenders=5))
    variants.append(replace(TERMS, schema=replace(SCHEMA, columns=SCHEMA.columns[::-1])))
    digests = {TERMS.digest(), *(variant.digest() for variant in variants)}
    assert len(digests) == len(variants) + 1


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"family": "forest"}, "family 'forest'"),
        ({"profile": "loose"}, "profile 'loose'"),
        ({"minimum_lenders": 2}, "floor of 3"),
        ({"profile": "production", "minimum_lenders": 4}, "floor of 5"),
        ({"sums": "masked"}, "sums 'masked'"),
        ({"sums": ["secure"]}, "sums"),
        (
            {"profile": "production", "minimum_lenders": 5, "sums": "plain"},
            "the production profile refuses plain sums",
        ),
        ({"minimum_cell": 0}, "minimum_cell 0"),
        ({"minimum_cell": 1001}, "minimum_cell 1001"),
        ({"minimum_cell": 2.0}, "whole numbers"),
        ({"minimum_cell": True}, "whole numbers"),
        ({"test_share": 0.0}, "test_share"),
        ({"test_share": 0.51}, "test_share"),
        ({"test_share": float("nan")}, "test_share"),
        ({"validation_share": -0.1}, "validation_share"),
        ({"validation_share": 0.6}, "validation_share"),
        ({"rounds": 0}, "rounds"),
        ({"seed": -1}, "seed"),
        ({"seed": 2**32}, "seed"),
        ({"schema": replace(SCHEMA, time=None), "time_cutoff": 2006.0}, "time column"),
    ],
)
def test_terms_out_of_range_are_refused_by_name(change: dict[str, object], named: str) -> None:
    """Each has its own sentence, and a remedy."""
    with pytest.raises(OperatorError, match=named) as refused:
        replace(TERMS, **change)
    assert refused.value.remedy


def test_the_floors_leave_nobody_alone_with_one_other() -> None:
    """With two lenders each could subtract its own share."""
    assert min(FLOOR.values()) >= 3
    assert FLOOR["production"] > FLOOR["demo"]


@pytest.mark.parametrize(
    "edit",
    [
        {"schema": None},
        {"schema": {}},
        {"schema": [1]},
        {"surprise": 1},
        {"test_share": "0.2"},
        {"seed": None},
        {"minimum_cell": "5"},
        {"profile": ["demo"]},
    ],
    ids=str,
)
def test_a_document_that_is_no_agreement_is_refused(edit: dict[str, object]) -> None:
    """Missing schema, unknown keys and wrong types are the operator's to mend."""
    with pytest.raises(OperatorError):
        agreement_from(TERMS.to_dict() | edit)


def test_sums_are_secure_and_no_cell_is_small_unless_the_terms_say_so() -> None:
    """Also for a document written before there was a choice; production may raise the cell."""
    document = TERMS.to_dict()
    del document["sums"], document["minimum_cell"]
    assert (agreement_from(document).sums, agreement_from(document).minimum_cell) == ("secure", 1)
    strict = replace(TERMS, profile="production", minimum_lenders=5, minimum_cell=1000)
    assert strict.sums == "secure"


@pytest.mark.parametrize("gone", ["schema", "name"])
def test_a_missing_key_is_refused(gone: str) -> None:
    """There is no run without a name or a schema."""
    document = TERMS.to_dict()
    del document[gone]
    with pytest.raises(OperatorError, match=gone):
        agreement_from(document)


def test_out_of_time_changes_cutoff_and_name_only() -> None:
    """The same run, tested on later rows."""
    later = TERMS.out_of_time(2006.0)
    assert later.time_cutoff == 2006.0
    assert replace(later, name="spring", time_cutoff=None) == TERMS
    assert later.digest() != TERMS.digest()
