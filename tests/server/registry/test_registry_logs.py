"""What the registry writes into its log tells nothing of the rows it was about."""

from __future__ import annotations

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError, IntegrityError

from server.registry import database
from server.tls import where

QUOTED = "5ec4e7"


def test_an_unforeseen_error_is_told_by_kind_and_place_alone(list_url: str) -> None:
    """A database's own text quotes the value (control: PostgreSQL's names the row that was there);
    what is logged has the kind and the line, and statements hide their parameters.
    """
    engine = database._engine(list_url)
    with engine.begin() as connection:
        connection.execute(text("CREATE TABLE probe (tag TEXT PRIMARY KEY)"))
        connection.execute(text("INSERT INTO probe VALUES (:tag)"), {"tag": QUOTED})
    with pytest.raises(IntegrityError) as raised, engine.begin() as connection:
        connection.execute(text("INSERT INTO probe VALUES (:tag)"), {"tag": QUOTED})
    engine.dispose()
    assert isinstance(raised.value, DBAPIError)
    assert (QUOTED in str(raised.value)) == list_url.startswith("postgresql")
    told = where(raised.value)
    assert told.startswith("IntegrityError\n")
    assert "test_registry_logs.py" in told
    assert QUOTED not in told
