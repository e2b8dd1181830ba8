"""A study is read whole, or refused naming the file, the key and what to write."""

from pathlib import Path

import pytest

from server.simulation.study import DataSource, Partition, References, Study, read_study
from shared.errors import OperatorError

LEAST = '[data]\npath = "t.csv"\nlabel = "y"\nlender = "bank"\n'


def _study(folder: Path, text: str) -> Study:
    path = folder / "study.toml"
    path.write_text(text, encoding="utf-8")
    return read_study(path)


def test_the_least_a_study_needs_is_rows_a_label_and_lenders(tmp_path: Path):
    assert _study(tmp_path, LEAST) == Study(
        DataSource(tmp_path / "t.csv", label="y", lender="bank"), "study"
    )


def test_every_key_arrives_where_it_belongs(tmp_path: Path):
    text = """
    [data]
    path = "../t.parquet"
    schema = "s.toml"
    prevalence = 0.2
    categories = ["zip"]
    row_key = "id"
    time = "year"
    [data.partition]
    kind = "sizes"
    lenders = 2
    alpha = 1
    column = "amount"
    sizes = [0.75, 0.25]
    [run]
    title = "Two"
    family = "blend"
    seed = 7
    rounds = 9
    test_share = 0.3
    validation_share = 0
    out_of_time = 2006
    minimum_lenders = 4
    [references]
    lightgbm = "demo"
    fedavg_mlp = false
    pooled = false
    local = false
    """
    consortium = '[consortium]\nname = "c"\nprofile = "production"\nminimum_lenders = 9\n'
    (tmp_path / "s.toml").write_text(consortium, encoding="utf-8")
    assert _study(tmp_path, text) == Study(
        DataSource(
            tmp_path / "../t.parquet",
            schema=tmp_path / "s.toml",
            row_key="id",
            time="year",
            categories=("zip",),
            partition=Partition("sizes", 2, 1, "amount", (0.75, 0.25)),
            prevalence=0.2,
        ),
        "Two",
        family="blend",
        seed=7,
        rounds=9,
        test_share=0.3,
        validation_share=0,
        out_of_time=2006,
        minimum_lenders=4,
        profile="production",
        references=References("demo", fedavg_mlp=False, pooled=False, local=False),
    )


def test_a_bad_value_written_as_a_number_is_the_text_in_the_file(tmp_path: Path):
    assert _study(tmp_path, LEAST.replace('"y"', '"y"\nbad = 1')).data.bad == "1"


WRONG = {
    "rows = 3\n" + LEAST: "unknown key 'rows'",
    "data = 3": "data is not a section",
    "[data]\n" + LEAST.replace("path", "file").replace("[data]\n", ""): "unknown key 'file'",
    '[data]\nlabel = "y"\nlender = "b"': "no path",
    '[data]\npath = "t.csv"\nlender = "b"': "either schema (a declared one) or label",
    LEAST + 'schema = "s.toml"': "either schema (a declared one) or label",
    '[data]\npath = "t.csv"\nlabel = "y"': "either lender = a column, or [data.partition]",
    LEAST + "[data.partition]\nlenders = 3": "either lender = a column, or [data.partition]",
    LEAST.replace('"t.csv"', "3"): "[data] path is 3",
    LEAST.replace('"bank"', "3"): "[data] lender is 3",
    LEAST + 'categories = "zip"': "[data] categories is 'zip'",
    LEAST + "bad = true": "[data] bad is True",
    LEAST + "prevalence = 17.56": "prevalence is not between 0 and 1",
    LEAST + 'prevalence = "0.2"': "[data] prevalence is '0.2'",
    LEAST.replace('lender = "bank"', "partition = 3"): "[data] partition is 3",
    LEAST.replace('lender = "bank"\n', '[data.partition]\nlenders = "8"'): "lenders is '8'",
    LEAST.replace('lender = "bank"\n', "[data.partition]\nsizes = 5"): "sizes is 5",
    LEAST.replace('lender = "bank"\n', "[data.partition]\nalfa = 5"): "unknown key 'alfa'",
    LEAST + '[run]\nrounds = "3"': "[run] rounds is '3'",
    LEAST + "[run]\nrounds = 2.5": "[run] rounds is 2.5",
    LEAST + "[run]\nrounds = true": "[run] rounds is True",
    LEAST + '[run]\ntest_share = "a fifth"': "[run] test_share is 'a fifth'",
    LEAST + "[run]\ntest_share = nan": "[run] test_share is nan",
    LEAST + "[run]\nseed = -1": "seed is not within",
    LEAST + "[run]\nround = 3": "unknown key 'round'",
    LEAST + '[references]\npooled = "no"': "[references] pooled is 'no'",
    LEAST + "[references]\nxgboost = true": "unknown key 'xgboost'",
    "[data\npath": "study.toml",
}


@pytest.mark.parametrize("text", WRONG)
def test_what_is_wrong_is_named_with_file_and_remedy(text: str, tmp_path: Path):
    with pytest.raises(OperatorError) as caught:
        _study(tmp_path, text)
    assert WRONG[text] in caught.value.what
    assert str(tmp_path / "study.toml") in caught.value.what
    assert caught.value.remedy


def test_a_study_that_is_not_there_or_not_a_text_is_named(tmp_path: Path):
    with pytest.raises(OperatorError, match=r"absent\.toml: cannot be read"):
        read_study(tmp_path / "absent.toml")
    (tmp_path / "latin.toml").write_bytes('[run]\ntitle = "é"'.encode("latin-1"))
    with pytest.raises(OperatorError, match=r"latin\.toml"):
        read_study(tmp_path / "latin.toml")
