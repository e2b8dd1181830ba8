"""Structured logs of both sides: what is in a line, and what never is."""

import io
import json
import logging
from collections.abc import Iterator
from types import ModuleType

import pytest

import client.logs
import server.logs

SECRET = "110101199003078515"


@pytest.fixture(params=[client.logs, server.logs], ids=["client", "server"])
def side(request: pytest.FixtureRequest) -> Iterator[ModuleType]:
    root = logging.getLogger()
    before = root.handlers[:], root.level
    yield request.param
    root.handlers[:], _ = before
    root.setLevel(before[1])


def _lines(side: ModuleType, form: str) -> io.StringIO:
    stream = io.StringIO()
    side.log_lines(form, stream)
    return stream


def test_a_line_is_one_json_object_with_the_fields_of_ours(side: ModuleType) -> None:
    """Time in UTC, level, logger, message, and what was given of the known fields."""
    stream = _lines(side, "json")
    about = {"stage": "census", "run": "spring", "rows": 61}
    logging.getLogger("lianfang.x").info("stage %s\nover", "census", extra=about)
    told = json.loads(stream.getvalue())
    assert told["time"].endswith("Z")
    del told["time"]
    assert told == {
        "level": "INFO",
        "logger": "lianfang.x",
        "message": "stage census over",
        "stage": "census",
        "run": "spring",
    }


@pytest.mark.parametrize("form", ["json", "text"])
def test_no_text_of_an_exception_is_written(side: ModuleType, form: str) -> None:
    """Neither as an exception, nor as what another package puts into a sentence."""
    stream = _lines(side, form)
    try:
        raise ValueError(SECRET)
    except ValueError as error:
        logging.getLogger("lianfang.x").exception("an unforeseen error")
        logging.getLogger("flwr").error("it failed: %s", error)
        logging.getLogger("flwr").error(f"it failed: {error}")
        logging.getLogger("flwr").error("it failed", exc_info=error)
    lines = stream.getvalue().splitlines()
    assert len(lines) == 4
    assert SECRET not in stream.getvalue()
    assert "ValueError at test_server_logs.py" in lines[0]
    assert "it failed: %s" in lines[1]


def test_the_usual_form_would_write_it() -> None:
    """Positive control: Python's own formatter quotes the exception."""
    stream = io.StringIO()
    logger = logging.Logger("flwr")
    logger.addHandler(logging.StreamHandler(stream))
    try:
        raise ValueError(SECRET)
    except ValueError:
        logger.exception("it failed")
    assert SECRET in stream.getvalue()


def test_other_packages_tell_warnings_only_and_through_us(side: ModuleType) -> None:
    """Their own handlers are taken away: nothing is written past the form."""
    past = io.StringIO()
    other = logging.getLogger("some.package")
    other.addHandler(logging.StreamHandler(past))
    stream = _lines(side, "text")
    other.warning("careful")
    logging.getLogger("flwr").info("a poll")
    assert past.getvalue() == ""
    assert "some.package: at test_server_logs.py" in stream.getvalue()
    assert "poll" not in stream.getvalue()


def test_the_form_is_read_from_the_environment(side: ModuleType) -> None:
    """Two words; anything else is text."""
    asked = [side.form_asked({"LIANFANG_LOG": word}) for word in ("json", "text", "xml")]
    assert [*asked, side.form_asked({})] == ["json", "text", "text", "text"]


@pytest.mark.parametrize("form", ["json", "text"])
def test_what_cannot_be_printed_is_not_written(side: ModuleType, form: str) -> None:
    """A terminal's commands, reordering signs, half a letter; letters of any language stay."""
    stream = _lines(side, form)
    evil = "\x1b[2J\u202e\x07\x9b\ud800"
    logging.getLogger("lianfang.x").error("said %s by 银行", evil, extra={"lender": evil})
    logging.getLogger("flwr").error(f"{evil}%s", 1)
    text = stream.getvalue()
    told = [json.loads(line)["message"] for line in text.splitlines()] if form == "json" else [text]
    assert "said ?[2J???? by 银行" in told[0]
    assert all(one.replace("\n", "").isprintable() for one in told)
    assert not set(evil) - set("[2J") & set(text)
    if form == "json":
        assert json.loads(text.splitlines()[0])["lender"] == "?[2J????"
