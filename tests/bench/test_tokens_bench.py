"""The measurements of tokens: small runs of what `make bench-tokens` measures."""

import json
from importlib import import_module
from pathlib import Path

import pytest

from tests.bench import tokens, tokens_work

NAMED = {
    "lender_us", "holder_us", "verify_us", "lookup_us_1m", "lookup_us_10m", "rescreen_1m_cpu_s",
    "total_cpu_s_100k", "openmined_cpu_s_100k", "unavoidable_us", "single_p50_ms", "single_p99_ms",
}  # fmt: skip


def test_the_last_line_names_every_figure(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A quick run prints the tables and one JSON line with all the names asked for."""
    monkeypatch.setattr(tokens, "find_spec", lambda _: None)  # figures measured elsewhere: null
    assert tokens.main(["--quick", "--out", str(tmp_path)]) == 0
    line = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert set(line) >= NAMED
    assert line["lender_us"] < line["lender_all_us"]
    assert line["book_cpu_s_100k"] < line["total_cpu_s_100k"]
    assert (tmp_path / "tokens.json").exists()


def test_what_is_measured_elsewhere_is_found() -> None:
    """Each of the modules is there, and gives the figures that the line takes from it."""
    for module, names in tokens.ELSEWHERE.items():
        said = import_module(module).measure.__doc__
        assert all(name in said for name in names), module


def test_wrong_tokens_are_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Positive control: tags of nothing are not the intersection."""
    monkeypatch.setattr(tokens_work, "tags_of", lambda outputs, epoch: outputs[:, :32] * 0)
    with pytest.raises(AssertionError):
        tokens_work.both(30)
