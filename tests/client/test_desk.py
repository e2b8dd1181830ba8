"""The desk: whatever happens, a reply leaves; and never a word of what an exception said."""

import errno
import logging
import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from flwr.app import ConfigRecord, Context, Message, RecordDict
from flwr.common.serde import recorddict_to_proto
from flwr.supercore.task_identity import TaskIdentity

import client.app
from client import desk
from client.desk import FOLDER_KEY, FOLDERS_VARIABLE, answer, close_all, lender_folder
from client.lender import Lender
from client.settings import read_settings
from shared.errors import InternalError, LianfangError, OperatorError, PeerError
from shared.secure_sum.coordinator_side import SetUpUnderWay
from shared.secure_sum.statements import MemberKeys
from shared.secure_sum.suite import STANDARD
from shared.secure_sum.trust import Trust
from shared.training.agreement import Agreement
from shared.training.run import Run
from shared.wire.messages import Ask, Refused, Sum, pack_question, parse_reply
from tests.client.lender_folder import AUTHORITY, NOW, frame_of, make_folder
from tests.identities import identity_under
from tests.shared.training.synthetic_book import SCHEMA, make_book

SECRET = "Zhang San 440106198001011234"  # nobody's number; eighteen digits like a real one
TERMS = Agreement("desk", SCHEMA, rounds=2, seed=3, sums="plain")
BOOK = make_book(60)


@pytest.fixture(autouse=True)
def nobody_open() -> Iterator[None]:
    close_all()
    yield
    close_all()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return make_folder(tmp_path, "L01", frame_of(BOOK), TERMS)


def context(**node_config: str | int) -> Context:
    return Context(run_id=1, node_id=2, node_config=node_config, state=RecordDict(), run_config={})


def at(place: Path) -> Context:
    return context(**{FOLDER_KEY: str(place)})


def census(**changes: str) -> RecordDict:
    run = Run(TERMS)
    fields = {"run": TERMS.digest(), "stage": "census", "digest": run.digest} | changes
    return pack_question(Ask(first=0, released=(), **fields))


def sent(content: RecordDict) -> bytes:
    """Every byte that would travel."""
    return recorddict_to_proto(content).SerializeToString()


def test_a_fine_question_is_answered(folder: Path) -> None:
    """The member's code, the stage, and as many numbers as asked."""
    reply = parse_reply(answer(census(), at(folder)))
    assert isinstance(reply, Sum)
    assert (reply.member, reply.stage) == ("L01", "census")
    assert len(reply.vector) == Run(TERMS).question().length


def test_the_flower_app_answers_through_the_desk(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Unpack, answer, pack: nothing else happens in the app."""
    for name in ("_run_id", "_task_id", "_node_id"):  # a message is made by a running task
        monkeypatch.setattr(TaskIdentity, name, 1)
    message = Message(census(), dst_node_id=2, message_type="query.answer")
    reply = client.app.on_question(message, at(folder))
    assert sent(reply.content) == sent(answer(census(), at(folder)))


ERRORS: dict[str, tuple[Exception, str]] = {
    "operator": (OperatorError(SECRET), "operator"),
    "peer": (PeerError(SECRET, remedy=SECRET), "peer"),
    "internal": (InternalError(SECRET), "internal"),
    "the family itself": (LianfangError(SECRET), "unexpected"),
    "value": (ValueError(SECRET), "unexpected"),
    "key": (KeyError(SECRET), "unexpected"),
    "file": (FileNotFoundError(2, SECRET, SECRET), "unexpected"),
    "memory": (MemoryError(SECRET), "unexpected"),
    "text": (UnicodeDecodeError("utf-8", SECRET.encode(), 0, 1, SECRET), "unexpected"),
}


@pytest.mark.parametrize("kind", ERRORS)
def test_no_exceptions_text_leaves(
    kind: str, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The reply holds the kind of error and not one byte of its message."""
    error, code = ERRORS[kind]

    def fail(*_: object) -> None:
        raise error

    monkeypatch.setattr(Lender, "reply", fail)
    reply = answer(census(), at(folder))
    assert parse_reply(reply) == Refused("L01", code)
    assert not any(word.encode() in sent(reply) for word in SECRET.split())


@pytest.mark.parametrize("kind", ["value", "key", "file", "text"])
def test_an_unknown_errors_text_is_not_even_logged(
    kind: str, folder: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Its name and place are; a log file may be shown to somebody."""

    def fail(*_: object) -> None:
        try:
            raise RuntimeError(SECRET)
        except RuntimeError as cause:
            raise ERRORS[kind][0] from cause

    monkeypatch.setattr(Lender, "reply", fail)
    with caplog.at_level(logging.DEBUG):
        answer(census(), at(folder))
    ours = [r for r in caplog.records if r.name == "lianfang.client"]
    (record,) = [r for r in ours if r.levelno == logging.ERROR]
    assert type(ERRORS[kind][0]).__name__ in record.getMessage()
    assert "test_desk.py" in record.getMessage()
    assert record.exc_info is None
    assert not any(word in caplog.text for word in SECRET.split())


def test_our_own_errors_are_logged_with_their_text(
    folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """The lender's operator reads what to do; the other side only learns the kind."""
    with caplog.at_level(logging.DEBUG):
        reply = answer(census(stage="trees/0"), at(folder))
    assert "is asked where" in caplog.text
    assert parse_reply(reply) == Refused("L01", "peer")
    assert b"is asked where" not in sent(reply)


@pytest.mark.parametrize("column", ["income", "bad_flag", "year", "loan_id"])
def test_no_cell_of_a_bad_table_leaves_or_is_logged(
    column: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """A name and an identity number in the wrong column: refused, named by column and line."""
    frame = frame_of(BOOK).astype({column: object})
    frame.loc[[3, 4], column] = SECRET  # twice, so that as a row key it is a double
    folder = make_folder(tmp_path, "L01", frame, TERMS)
    with caplog.at_level(logging.DEBUG):
        reply = answer(census(), at(folder))
    assert parse_reply(reply) == Refused("L01", "operator")
    assert column in caplog.text
    for word in (*SECRET.split(), "198001011234"):
        assert word.encode() not in sent(reply)
        assert word not in caplog.text


def test_a_message_that_is_none_is_refused(folder: Path) -> None:
    """Empty, or of other records."""
    for content in (RecordDict(), RecordDict({"ask": ConfigRecord({"run": 1})})):
        assert parse_reply(answer(content, at(folder))) == Refused("L01", "peer")


def test_the_folder_comes_from_the_node_alone(folder: Path, tmp_path: Path) -> None:
    """A message and a run's configuration that name another folder are not listened to."""
    other = make_folder(tmp_path / "other", "L09", frame_of(BOOK), TERMS)
    lured = census()
    fields = dict(lured["ask"].items())
    lured["ask"] = ConfigRecord(fields | {FOLDER_KEY: str(other), "partition-id": 0})
    lured["node_config"] = ConfigRecord({FOLDER_KEY: str(other)})
    here = at(folder)
    here.run_config = {FOLDER_KEY: str(other)}
    here.state = RecordDict({"node_config": ConfigRecord({FOLDER_KEY: str(other)})})
    assert lender_folder(here) == folder
    assert parse_reply(answer(lured, here)).member == "L01"
    assert parse_reply(answer(lured, at(other))).member == "L09"


def test_a_node_that_is_told_no_folder_refuses(monkeypatch: pytest.MonkeyPatch) -> None:
    """It says so to its operator, and guesses none."""
    monkeypatch.delenv(FOLDERS_VARIABLE, raising=False)
    for node in (context(), context(**{FOLDER_KEY: ""}), context(**{"partition-id": 0})):
        with pytest.raises(OperatorError, match="folder"):
            lender_folder(node)
        assert parse_reply(answer(census(), node)) == Refused("unknown", "operator")


def test_in_a_simulation_a_node_takes_the_folder_of_its_number(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In the order of names, files beside them left out; a number too high is refused."""
    for name in ("L02", "L01", "L03"):
        (tmp_path / name).mkdir()
    (tmp_path / "A-file").write_text("not a lender")
    monkeypatch.setenv(FOLDERS_VARIABLE, str(tmp_path))
    found = [lender_folder(context(**{"partition-id": i})).name for i in range(3)]
    assert found == ["L01", "L02", "L03"]
    reply = parse_reply(answer(census(), context(**{"partition-id": 3})))
    assert reply == Refused("unknown", "unexpected")


def test_a_folder_that_is_no_lenders_is_the_operators_error(tmp_path: Path) -> None:
    """Missing, empty, or with settings that cannot be read; the folder's name does not leave."""
    (tmp_path / "L01").mkdir()
    (tmp_path / "L02").mkdir()
    (tmp_path / "L02" / "client.toml").write_text("[lender\n")
    for name in ("L01", "L02", "L03"):
        reply = parse_reply(answer(census(), at(tmp_path / name)))
        assert reply == Refused("unknown", "operator")


@pytest.mark.parametrize("wrong", ["a misspelt floor", "no table", "a misspelt entry"])
def test_a_lender_whose_settings_are_wrong_says_who_it_is(
    wrong: str, folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """As far as they tell its code; its log says it, too."""
    settings = folder / "client.toml"
    text = settings.read_text()
    if wrong == "no table":
        (folder / "loans.csv").unlink()
    else:
        more = "\n[floors]\nminimum_cohrt = 3\n" if "floor" in wrong else "\ntabel = 'x'\n"
        settings.write_text(text + more)
    assert parse_reply(answer(census(), at(folder))) == Refused("L01", "operator")
    assert "L01: question refused" in caplog.text


def test_a_folder_that_tells_no_code_is_named_in_its_own_log(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """There the operator needs it; it does not leave."""
    home = tmp_path / "L09"
    for text in ("", "[lender\n", '[lender]\nmember = "L 09/../"\n', "lender = 1\n"):
        home.mkdir(exist_ok=True)
        (home / "client.toml").write_text(text)
        reply = answer(census(), at(home))
        assert parse_reply(reply) == Refused("unknown", "operator")
        assert b"L09" not in sent(reply)
    assert f"{home}: question refused" in caplog.text


def test_the_same_error_is_logged_once_until_a_question_is_answered(
    folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """A coordinator repeats what it asks; another error, or the same one later, is told."""
    rows = (folder / "loans.csv").read_text()

    def told() -> list[str]:
        return [r.getMessage() for r in caplog.records if r.levelno == logging.ERROR]

    with caplog.at_level(logging.INFO):
        (folder / "loans.csv").unlink()
        for _ in range(3):
            answer(census(), at(folder))
        assert len(told()) == 1
        (folder / "loans.csv").write_text(rows)
        assert isinstance(parse_reply(answer(census(), at(folder))), Sum)
        for _ in range(2):
            answer(census(stage="bins"), at(folder))
        assert len(told()) == 2
        assert isinstance(parse_reply(answer(census(), at(folder))), Sum)
        answer(census(stage="bins"), at(folder))
    assert len(told()) == 3


def test_a_table_is_read_once_until_the_desk_closes(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The second question finds the lender open; `close_all` forgets it."""
    opened = []
    real = Lender.__init__

    def counted(self: Lender, *settings: object) -> None:
        opened.append(settings)
        real(self, *settings)

    monkeypatch.setattr(Lender, "__init__", counted)
    first, again = (sent(answer(census(), at(folder))) for _ in range(2))
    assert (len(opened), first == again) == (1, True)
    close_all()
    assert not desk._open
    answer(census(), at(folder))
    assert len(opened) == 2


def test_a_lender_that_could_not_open_is_tried_again(tmp_path: Path) -> None:
    """Once the operator has mended the table, the next question is answered."""
    frame = frame_of(BOOK)
    folder = make_folder(tmp_path, "L01", frame.drop(columns="age"), TERMS)
    assert parse_reply(answer(census(), at(folder))) == Refused("L01", "operator")
    frame.to_csv(folder / "loans.csv", index=False)
    reply = parse_reply(answer(census(), at(folder)))
    assert isinstance(reply, Sum)
    assert np.any(reply.vector)


def test_a_secure_sum_is_driven_through_the_desk(tmp_path: Path) -> None:
    """Statements in, statements out; a refusal leaves with its signature, and is logged."""
    secure = replace(TERMS, sums="secure")
    folder = make_folder(tmp_path, "L01", frame_of(BOOK), secure)
    coordinator = identity_under(AUTHORITY, "coordinator", "coordinator", now=NOW)
    under_way = SetUpUnderWay(
        STANDARD, coordinator, Trust(AUTHORITY.certificate, lambda: NOW),
        agreement=bytes.fromhex(secure.digest()), counter=5, nonce=bytes(32), slots=2,
    )  # fmt: skip
    keys = parse_reply(answer(pack_question(under_way.opened, "set-up/keys"), at(folder)))
    assert isinstance(keys, MemberKeys)
    under_way.take_keys(keys)
    roll = under_way.close_keys(1)  # alone: no lender takes part in that
    refused = parse_reply(answer(pack_question(roll, "set-up/shares"), at(folder)))
    assert isinstance(refused, Refused)
    assert refused.refusal is not None
    assert (refused.member, refused.refusal.reason) == ("L01", "cohort")


def test_the_second_of_two_first_questions_finds_the_same_lender(folder: Path) -> None:
    """Both threads open it; one of the two goes."""
    settings = read_settings(folder)
    first, second = desk._opened(settings), desk._opened(settings)
    assert first is second
    assert isinstance(parse_reply(answer(census(), at(folder))), Sum)


def test_a_full_disk_sends_one_word(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The operator reads the rest in the log; the numbers stay."""

    def fail(*_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patch:
        patch.setattr(os, "fdatasync", fail)
        assert parse_reply(answer(census(), at(folder))) == Refused("L01", "operator")
    assert isinstance(parse_reply(answer(census(), at(folder))), Sum)
