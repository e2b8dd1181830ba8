"""What a lender keeps of the registry's answers, and what it makes of the registry's words."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from client.exchange.answered import settled_by
from client.exchange.submissions import Settled, Submissions
from shared.wire import registry_pb2 as wire
from tests.identities import NOW, authority_of, identity_under

REGISTRY = identity_under(authority_of(now=NOW), "R1", "registry", now=NOW)
BEFORE = """create table submissions (
    number integer primary key autoincrement, event_id blob not null unique,
    event blob not null, receipt blob, refusal text)"""
NAME = bytes(16)


@pytest.mark.parametrize("older", [False, True])
def test_a_refusal_is_kept_with_its_remedy(tmp_path: Path, older: bool) -> None:
    """Also in a journal of an earlier release, whose answers stay as they were."""
    path = tmp_path / "submissions.db"
    if not older:
        Submissions(path).close()
    with closing(sqlite3.connect(path)) as database, database:
        if older:
            database.execute(BEFORE)
        insert = "insert into submissions (event_id, event, refusal) values (?, ?, ?)"
        database.executemany(insert, [(NAME, b"{}", "quota: no"), (bytes([1] * 16), b"{}", None)])
    kept = Submissions(path)
    answer = Settled(bytes([1] * 16), None, "pace: too many", "go on tomorrow")
    kept.settle([answer])
    kept.close()
    again = Submissions(path)
    assert again.answer(NAME) == Settled(NAME, None, "quota: no", "")
    assert again.answer(answer.event_id) == answer
    again.close()


def test_what_a_registry_says_cannot_move_the_terminal() -> None:
    """Reason, sentence and remedy are short and printable, whatever came; plain ones are unchanged
    (control).
    """
    for what, remedy, shown in (
        ("too many", "go on tomorrow", ("pace: too many", "go on tomorrow")),
        ("a\x1b[2Jb", "x\n" * 9999, ("pace: a?[2Jb", "x?" * 250)),
    ):
        refusal = wire.Refusal(reason="pace", what=what, remedy=remedy)
        reply = wire.SubmitReply(answers=[wire.EventAnswer(refusal=refusal)])
        (settled,) = settled_by(reply, [(NAME, b"{}")], REGISTRY.member, None)
        assert (settled.refusal, settled.remedy) == shown
