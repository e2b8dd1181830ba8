"""What a registry's operator writes, and what an older registry left behind."""

from __future__ import annotations

from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import text

from server.registry import tables
from server.registry.database import Database
from server.registry.service import serve
from server.registry.settings import Settings, read_settings
from shared.blacklist.events import Event
from shared.errors import OperatorError
from shared.secure_sum.encoding import text_of
from tests.blacklist_members import CONSORTIUM, REGISTRY, Lender, signed_keys
from tests.exchange_processes import registry_folder
from tests.list_registry import Served


def test_whose_keys_are_taken_is_written_under_keys(tmp_path: Path) -> None:
    """Holders and consortium, each by itself or not at all."""
    path = tmp_path / "registry.toml"
    path.write_text('[keys]\nholders = ["K1", "K3", "K2"]\ncontext = "Five lenders"\n')
    both = Settings(holders=frozenset({"K1", "K2", "K3"}), context="Five lenders")
    assert read_settings(tmp_path) == both
    path.write_text('[keys]\ncontext = "Five lenders"\n')
    assert read_settings(tmp_path) == Settings(context="Five lenders")
    path.write_text("[keys]\n")
    assert read_settings(tmp_path) == Settings()


@pytest.mark.parametrize(
    "wrong",
    [
        "[keys]\nholder = ['K1', 'K2']",
        "[keys]\nholders = 'K1'",
        "[keys]\nholders = ['K1']",
        "[keys]\nholders = ['K1', 'K1']",
        "[keys]\nholders = ['K1', 2]",
        "[keys]\nholders = ['K1', 'K 2']",
        "[keys]\ncontext = ''",
        "[keys]\ncontext = 7",
        "keys = 'K1'",
    ],
)
def test_what_is_misspelt_is_refused(tmp_path: Path, wrong: str) -> None:
    """With the file's name and what may be in it."""
    (tmp_path / "registry.toml").write_text(wrong)
    with pytest.raises(OperatorError, match=r"registry\.toml cannot be used") as refused:
        read_settings(tmp_path)
    assert "holders = [" in refused.value.remedy


@pytest.mark.parametrize(
    ("keys", "reason"),
    [
        ("", None),
        ('holders = ["K1", "K2", "K3"]', None),
        (f'context = "{CONSORTIUM}"', None),
        ('holders = ["K1", "K2", "K4"]', "keys"),
        ('context = "Another ring"', "keys"),
    ],
)
def test_a_registry_goes_by_what_is_written(tmp_path: Path, keys: str, reason: str | None) -> None:
    """The first key epoch of the holders K1 to K3 is taken or not."""
    folder = registry_folder(tmp_path / REGISTRY)
    (folder / "registry.toml").write_text(f'profile = "demo"\n[keys]\n{keys}\n')
    lender = Lender.of("L01")
    proposal: Event = lender.open_epoch(1, signed_keys(1))
    serving = serve(folder, "127.0.0.1:0")
    (answer,) = serving.registry.submit("L01", [text_of(proposal)])
    serving.stop()
    assert getattr(answer, "reason", None) == reason


@pytest.mark.parametrize("form", ["0001", "0003", "9999"])
def test_a_database_of_another_form_is_refused(served: Served, url: str, form: str) -> None:
    """Of a version that was never released, or of a later one: told which, and what to do; nothing
    in it is changed. In its own form it opens (control).
    """
    filed = served.active(served.a, "somebody")[0]
    own = put_form(served, form)
    served.close()
    with pytest.raises(OperatorError, match=f"has form {form}") as refused:
        Database(url)
    assert "members file" in refused.value.remedy
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("server.registry.database._check_known", lambda *_: None)
        patch.setattr("server.registry.database.command.upgrade", lambda *_: None)
        served.open()
    assert put_form(served, own) == form
    served.restart()
    assert served.own(served.a, filed.entry.entry_id).contributor == "L01"


def put_form(served: Served, form: str) -> str:
    """Write down another form of the tables; which one it was."""
    with served.database.engine.begin() as connection:
        before = connection.scalar(text("SELECT version_num FROM alembic_version"))
        connection.execute(text("UPDATE alembic_version SET version_num = :form"), {"form": form})
    return str(before)


def test_the_steps_make_the_tables_that_the_code_names(served: Served) -> None:
    """With all columns and indexes; one that is missing would be found (control)."""

    def differences() -> list[object]:
        with served.database.engine.connect() as connection:
            return list(compare_metadata(MigrationContext.configure(connection), tables.metadata))

    assert differences() == []
    with served.database.engine.begin() as connection:
        connection.execute(text("DROP INDEX tokens_by_row"))
    assert len(differences()) == 1
