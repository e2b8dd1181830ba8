"""The schema as declared: what parses, what is refused by name, and what the digest covers."""

import hashlib
import json
import tomllib

import pytest

from shared.errors import OperatorError
from shared.schema import Column, LabelContract, Schema, parse_schema
from tests.datasets import REPOSITORY

TOML = """
[table]
version = 1
row_key = "loan_id"
time = "year"
prohibited = ["blood type"]
[label]
column = "bad_flag"
bad = ["1"]
good = ["0"]
dpd_threshold = 90
[[columns]]
name = "income"
kind = "number"
low = 0
missing = ["-999"]
[[columns]]
name = "purpose"
kind = "category"
levels = ["car", "home"]
aliases = ["用途"]
[other]
left = "alone"
"""


def test_a_document_gives_the_schema_it_declares():
    """Every key lands in its field, and sections of others are not looked at."""
    schema = parse_schema(tomllib.loads(TOML))
    assert schema.names == ("income", "purpose")
    assert schema.column("income") == Column("income", "number", low=0.0, missing=("-999",))
    assert schema.label == LabelContract("bad_flag", ("1",), ("0",), dpd_threshold=90)
    assert schema.required == ("income", "purpose", "bad_flag", "loan_id", "year")


def test_dict_form_is_json_and_has_an_inverse():
    """A schema survives being saved as JSON."""
    schema = parse_schema(tomllib.loads(TOML))
    assert parse_schema(json.loads(json.dumps(schema.to_dict()))) == schema


def test_digest_ignores_the_order_of_keys_but_not_of_columns():
    """Two lenders' TOML files may be laid out differently; the order of codes may not differ."""
    document = tomllib.loads(TOML)
    shuffled = {key: document[key] for key in reversed(document)}
    swapped = {**document, "columns": document["columns"][::-1]}
    digest = parse_schema(document).digest()
    assert parse_schema(shuffled).digest() == digest
    assert parse_schema(swapped).digest() != digest


def test_digest_is_pinned():
    """A change of the canonical form would part old members from new ones."""
    schema = Schema(1, (Column("a", "number"),), LabelContract("y", ("1",), ("0",)), "id")
    text = (
        '{"columns":[{"aliases":[],"description":"","kind":"number","levels":[],"missing":[],'
        '"monotone":0,"name":"a","unit":""}],"label":{"bad":["1"],"bad_rate_high":1.0,'
        '"bad_rate_low":0.0,"column":"y","currency":"","good":["0"],"indeterminate":[],'
        '"observation_date":""},"table":{"prohibited":[],"row_key":"id","version":1}}'
    )
    assert json.loads(text) == schema.to_dict()
    assert schema.digest() == hashlib.sha256(text.encode()).hexdigest()


@pytest.mark.parametrize(
    ("old", "new", "named"),
    [
        ('row_key = "loan_id"', "", "row_key"),
        ("version = 1", 'version = "1"', "version"),
        ("version = 1", "version = true", "version"),
        ("low = 0", "hgih = 0", "hgih"),
        ("low = 0", "low = nan", "low"),
        ('kind = "number"', 'kind = "numeric"', "kind"),
        ('bad = ["1"]', 'bad = "1"', "bad"),
        ('bad = ["1"]', "bad = [1]", "bad"),
        ("[label]", "[lable]", "label"),
        ('name = "income"', "", "name"),
        ('prohibited = ["blood type"]', 'prohibited = [""]', "prohibited"),
    ],
)
def test_a_wrong_key_is_refused_by_its_name(old, new, named):
    """The message names the key, so that the consortium's office finds the line."""
    with pytest.raises(OperatorError, match=named) as error:
        parse_schema(tomllib.loads(TOML.replace(old, new, 1)))
    assert error.value.remedy


def test_a_misspelt_key_is_suggested():
    """`hgih` asks for `high`."""
    with pytest.raises(OperatorError, match="did you mean 'high'"):
        parse_schema(tomllib.loads(TOML.replace("low = 0", "hgih = 0")))


@pytest.mark.parametrize(
    "declaration",
    [
        {"name": "", "kind": "number"},
        {"name": " a", "kind": "number"},
        {"name": "a", "kind": "number", "levels": ("x",)},
        {"name": "a", "kind": "number", "low": 2.0, "high": 1.0},
        {"name": "a", "kind": "number", "monotone": 2},
        {"name": "a", "kind": "number", "empty": "allowed"},
        {"name": "a", "kind": "category", "levels": ("x",), "empty": "refused"},
        {"name": "a", "kind": "category"},
        {"name": "a", "kind": "category", "levels": ("x", "x")},
        {"name": "a", "kind": "category", "levels": ("x",), "low": 0.0},
        {"name": "a", "kind": "category", "levels": ("x",), "missing": ("x",)},
        {"name": "a", "kind": "category", "levels": tuple(map(str, range(251)))},
    ],
)
def test_a_contradictory_column_is_refused(declaration):
    """A declaration that cannot be meant is refused where it is made."""
    with pytest.raises(OperatorError):
        Column(**declaration)


@pytest.mark.parametrize(
    "change",
    [
        {"bad": ()},
        {"good": ("1",)},
        {"indeterminate": ("0",)},
        {"bad_rate_low": 0.5, "bad_rate_high": 0.1},
        {"column": ""},
    ],
)
def test_a_contradictory_label_contract_is_refused(change):
    """Bad, good and indeterminate values are disjoint, and the band is a band."""
    with pytest.raises(OperatorError):
        LabelContract(**{"column": "y", "bad": ("1",), "good": ("0",), **change})


@pytest.mark.parametrize(
    ("columns", "row_key", "time", "prohibited"),
    [
        (("a", "a"), "id", None, ()),
        (("y",), "id", None, ()),
        (("id",), "id", None, ()),
        (("a",), "y", None, ()),
        (("a",), "id", "y", ()),
        (("a",), "id", "id", ()),
        (("Loan Amount", "loan_amount"), "id", None, ()),
        (("borrower_religion",), "id", None, ("religion",)),
        ((), "id", None, ()),
    ],
)
def test_colliding_columns_are_refused(columns, row_key, time, prohibited):
    """No header text may name two columns, and no feature is label, key or prohibited."""
    with pytest.raises(OperatorError):
        Schema(
            version=1,
            columns=tuple(Column(name, "number") for name in columns),
            label=LabelContract("y", ("1",), ("0",)),
            row_key=row_key,
            time=time,
            prohibited=prohibited,
        )


def test_columns_of_one_name_are_named():
    """A block that was put in twice is found."""
    columns = (Column("a", "number"), Column("b", "number"), Column("a", "number"))
    with pytest.raises(OperatorError, match="2 columns have the name 'a'"):
        Schema(1, columns, LabelContract("y", ("1",), ("0",)), "id")


def test_the_demo_consortium_parses():
    """The file that is shipped declares fifteen features and no leaking one."""
    with (REPOSITORY / "configs" / "consortium.toml").open("rb") as file:
        schema = parse_schema(tomllib.load(file))
    assert len(schema.columns) == 15
    assert schema.time in schema.names
    assert "Term" not in schema.names


@pytest.mark.parametrize("columns", [None, [], "income", ["income"], {"name": "income"}])
def test_columns_that_are_no_list_of_tables_are_refused(columns):
    """`[[columns]]` with double brackets is asked for."""
    document = {**tomllib.loads(TOML), "columns": columns}
    with pytest.raises(OperatorError, match=r"\[\[columns\]\]"):
        parse_schema(document)


def test_a_feature_that_is_not_there_is_a_key_error():
    """Asking for an undeclared column is a fault of the program."""
    with pytest.raises(KeyError, match="nobody"):
        parse_schema(tomllib.loads(TOML)).column("nobody")
