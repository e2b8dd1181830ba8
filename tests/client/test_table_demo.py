"""The embedded sample and the demo consortium's schema belong together."""

import gzip
import subprocess
import sys
import tomllib

import pytest

from client.table import RawTable, read_raw, read_table
from shared.schema import parse_schema
from tests.datasets import FOLDER, REPOSITORY

SAMPLE = REPOSITORY / "data" / "sba_demo.csv.gz"
SIZES = [6806, 3759, 3714, 2722, 2375, 2296, 2189, 1786, 570, 466, 367, 225]


@pytest.fixture(scope="module")
def schema():
    with (REPOSITORY / "configs" / "consortium.toml").open("rb") as file:
        return parse_schema(tomllib.load(file))


@pytest.fixture(scope="module")
def raw():
    return read_raw(SAMPLE)


def test_the_sample_fits_the_schema(schema):
    """All rows pass, and every level that occurs is declared."""
    checked = read_table(SAMPLE, schema)
    assert checked.table.rows == 27_275
    assert int(checked.table.bad.sum()) == 16_443
    assert not any("declared levels" in warning.what for warning in checked.warnings)


def test_every_lender_of_the_sample_can_take_part(schema, raw):
    """Twelve lenders, largest first, each with both outcomes."""
    rows = []
    for code in [f"L{i:02d}" for i in range(1, 13)]:
        mine = (raw.frame["lender"] == code).to_numpy()
        part = RawTable(raw.frame[mine], code, raw.lines[mine], raw.encoding)
        table = part.checked(schema).table
        assert 0 < table.bad.mean() < 1
        rows.append(table.rows)
    assert rows == SIZES


def test_the_sample_holds_nothing_but_the_declared_columns(schema, raw):
    """No place below the state, no number of loan or borrower, no column known only later."""
    assert set(raw.frame.columns) == {"lender", *schema.required}
    assert sorted(map(int, raw.frame["loan_id"])) == list(range(1, 27_276))


def test_the_order_of_rows_reveals_nothing(raw):
    """Neighbouring rows are of one lender about as often as in any shuffled order."""
    lender = raw.frame["lender"].to_numpy()
    expected = sum((size / 27_275) ** 2 for size in SIZES)
    assert (lender[1:] == lender[:-1]).mean() == pytest.approx(expected, abs=0.01)


def test_the_sample_is_what_the_script_makes(tmp_path):
    """Running the kept script on its source gives the same table (zlib's bytes may differ)."""
    source = FOLDER / "sba_7a_national" / "sba_national_sample.csv.gz"
    if not source.is_file():
        pytest.skip(f"data sets not found at {FOLDER}: set LIANFANG_DATASETS")
    script = tmp_path / "make_sba.py"
    script.write_bytes((REPOSITORY / "data" / "make_sba.py").read_bytes())
    subprocess.run([sys.executable, script, source], check=True, capture_output=True)
    made = (tmp_path / SAMPLE.name).read_bytes()
    assert gzip.decompress(made) == gzip.decompress(SAMPLE.read_bytes())
