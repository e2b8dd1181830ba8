"""A simulation writes lenders' folders, and removes nothing that it did not write itself."""

import json
from datetime import UTC, datetime
from pathlib import Path

import pandas as pd
import pytest

from client.settings import read_settings
from server.authority import read_authority
from server.keys import read_identity
from server.simulation.founding import MARK, certify, found, founded
from shared.errors import OperatorError
from tests.federation import Consortium, founded_in, study, table


@pytest.fixture
def consortium(tmp_path: Path) -> Consortium:
    return founded_in(tmp_path / "run")


def _again(consortium: Consortium) -> None:
    found(consortium.folder, consortium.agreement, consortium.book)


def test_every_lender_gets_its_own_rows_and_the_common_terms(consortium: Consortium):
    assert [home.name for home in consortium.homes] == ["L01", "L02", "L03", "L04", "L05"]
    rows = []
    for home in consortium.homes:
        settings = read_settings(home)
        assert settings.member == home.name
        assert settings.agreement == consortium.agreement
        rows.append(pd.read_parquet(settings.table).assign(lender=home.name))
    everything = pd.concat(rows).sort_values("loan_id").reset_index(drop=True)
    given = table().sort_values("loan_id").reset_index(drop=True)
    pd.testing.assert_frame_equal(everything, given[list(everything.columns)], check_dtype=False)


def test_secrets_follow_from_the_seed_and_differ_between_lenders(tmp_path: Path):
    first, same, other = (
        [read_settings(home).secret for home in founded_in(tmp_path / str(i), None, asked).homes]
        for i, asked in enumerate((study(), study(), study(seed=1)))
    )
    assert first == same
    assert len({*first, *other}) == 10


def test_no_lender_is_named_anywhere(tmp_path: Path):
    names = {f"L0{i}": f"Bank of Nowhere {i}" for i in range(1, 6)}
    folder = tmp_path / "run"
    founded_in(folder, table().assign(lender=table()["lender"].map(names))).conducted()
    files = [path for path in folder.rglob("*") if path.is_file()]
    assert len(files) > 40
    for path in files:
        assert b"Nowhere" not in path.read_bytes(), path


def test_an_earlier_simulation_is_replaced(consortium: Consortium):
    (consortium.folder / "lenders" / "L01" / "own" / "result.json").touch()
    (consortium.folder / "stages").mkdir()
    _again(consortium)
    assert not (consortium.folder / "lenders" / "L01" / "own" / "result.json").exists()
    assert not (consortium.folder / "stages").exists()


def test_a_half_founded_simulation_is_replaced(consortium: Consortium):
    (consortium.folder / "agreement.json").unlink()  # it is written last
    _again(consortium)
    assert (consortium.folder / "agreement.json").exists()


def test_an_empty_folder_is_used(tmp_path: Path):
    (tmp_path / "run").mkdir()
    founded_in(tmp_path / "run")
    assert (tmp_path / "run" / MARK).exists()


def test_a_run_that_is_not_a_simulation_is_not_removed(consortium: Consortium):
    (consortium.folder / MARK).unlink()  # as a real coordinator's folder, with its agreement
    (consortium.folder / "precious.txt").write_text("keep")
    with pytest.raises(OperatorError, match="nothing was removed") as caught:
        _again(consortium)
    assert "--out" in caught.value.remedy
    assert (consortium.folder / "precious.txt").read_text() == "keep"
    assert len(consortium.homes) == 5


def test_a_file_in_the_way_is_not_removed(tmp_path: Path):
    (tmp_path / "run").write_text("keep")
    with pytest.raises(OperatorError, match="nothing was removed"):
        founded_in(tmp_path / "run")
    assert (tmp_path / "run").read_text() == "keep"


def test_a_link_to_a_simulation_is_not_followed_to_remove_it(
    consortium: Consortium, tmp_path: Path
):
    (tmp_path / "link").symlink_to(consortium.folder)
    with pytest.raises(OperatorError, match="nothing was removed"):
        found(tmp_path / "link", consortium.agreement, consortium.book)
    assert len(consortium.homes) == 5


def test_an_interrupted_run_is_found_again(consortium: Consortium):
    again = founded(consortium.folder, consortium.agreement, consortium.book)
    assert again == consortium.homes


@pytest.mark.parametrize("changed", ["a cell", "the lenders", "the settings"])
def test_a_run_is_not_resumed_over_another_table_or_other_settings(
    changed: str, consortium: Consortium, tmp_path: Path
):
    frame, asked = table(), study()
    if changed == "a cell":
        frame.loc[5, "age"] += 1
    elif changed == "the lenders":
        frame = frame[frame["lender"] != "L05"]
    else:
        asked = study(seed=9)
    other = founded_in(tmp_path / "other", frame, asked)
    with pytest.raises(OperatorError, match="began with another table or other settings"):
        founded(consortium.folder, other.agreement, other.book)


def test_the_terms_can_be_read_by_people(consortium: Consortium):
    text = (consortium.homes[0] / "agreement.json").read_text(encoding="utf-8")
    assert json.loads(text)["minimum_lenders"] == 3
    assert text.count("\n") > 20


def test_members_hold_keys_of_their_own_under_one_authority(consortium: Consortium):
    """Lenders read them as their identity, the coordinator as its own; no two keys are the same."""
    coordinator, authority = read_identity(consortium.folder, datetime.now(UTC))
    assert (coordinator.member.role, coordinator.member.code) == ("coordinator", "coordinator")
    members = [read_settings(home) for home in consortium.homes]
    identities = [coordinator, *(settings.identity for settings in members)]
    assert {settings.authority for settings in members} == {authority}
    assert [settings.identity.member.code for settings in members] == [
        f"L0{number}" for number in range(1, 6)
    ]
    held = read_authority(consortium.folder / "authority", datetime.now(UTC))
    assert held.certificate == authority
    assert len({identity.private for identity in identities} | {held.private}) == 7


def test_private_keys_are_readable_by_their_owner_only_and_nowhere_else(consortium: Consortium):
    """Seven key files, mode 0600; the text of none of them is in any other file."""
    keys = sorted(consortium.folder.rglob("*.key"))
    assert len(keys) == 7
    for key in keys:
        assert key.stat().st_mode & 0o777 == 0o600
        secret = key.read_bytes().splitlines()[1]
        holding = [path for path in consortium.folder.rglob("*") if path.is_file()]
        assert [path for path in holding if secret in path.read_bytes()] == [key]


def test_keys_do_not_follow_from_the_seed(tmp_path: Path):
    """Two runs of one study: whoever knows the seed knows no key."""
    one, other = (founded_in(tmp_path / name).folder for name in ("one", "other"))
    for place in ("coordinator.key", "authority/authority.key", "lenders/L01/own/identity.key"):
        assert (one / place).read_bytes() != (other / place).read_bytes()


def test_a_run_that_goes_on_keeps_its_keys_and_one_that_starts_again_does_not(
    consortium: Consortium,
):
    key = consortium.homes[0] / "own" / "identity.key"
    first = key.read_bytes()
    founded(consortium.folder, consortium.agreement, consortium.book)
    assert key.read_bytes() == first
    _again(consortium)
    assert key.read_bytes() != first


@pytest.mark.parametrize("name", ["", " ", "T" * 500])
def test_a_study_of_any_title_can_be_certified(tmp_path: Path, name: str):
    """A certificate's own limits are no concern of a researcher's."""
    (tmp_path / "lenders").mkdir()
    certify(tmp_path, name)
    assert read_identity(tmp_path, datetime.now(UTC))[0].member.role == "coordinator"
