"""The bundle names the code installed here, and no other Flower is taken."""

from __future__ import annotations

import io
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest
from flwr.cli.config_utils import get_fab_metadata

import client.node.flower
import server.deployment.flower
from server.deployment import bundle
from shared.errors import OperatorError

REPOSITORY = Path(__file__).parents[3]


def test_the_bundle_is_the_same_each_time_and_changes_with_the_code(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """One letter in one file gives another digest; Flower reads its name."""
    made = bundle.build_bundle()
    bundle._files.cache_clear()
    assert bundle.build_bundle() == made
    assert get_fab_metadata(made)[0] == "lianfang/lianfang"
    files = dict(bundle._files())
    files["client/app.py"] += b"\n"
    monkeypatch.setattr(bundle, "_files", lambda: tuple(sorted(files.items())))
    assert bundle.bundle_digest(bundle.build_bundle()) != bundle.bundle_digest(made)


def test_what_is_in_the_bundle_is_enough_for_a_run(tmp_path: Path) -> None:
    """Both apps load from it alone, and its settings are those of pyproject.toml."""
    with zipfile.ZipFile(io.BytesIO(bundle.build_bundle())) as archive:
        archive.extractall(tmp_path)
    code = "import server.app, server.coordinator.attempt, client.app, client.lender as l; "
    ran = subprocess.run(
        [sys.executable, "-c", code + "print(l.__file__)"],
        cwd=tmp_path, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert ran.returncode == 0, ran.stderr
    assert ran.stdout.startswith(str(tmp_path))
    ours = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["tool"]["flwr"]["app"]
    shipped = tomllib.loads((tmp_path / "pyproject.toml").read_text())["tool"]["flwr"]["app"]
    for part in ("publisher", "components", "config"):
        assert shipped[part] == ours[part]


@pytest.mark.parametrize("module", [server.deployment.flower, client.node.flower])
def test_another_flower_is_refused_with_what_to_do(module: object) -> None:
    """By its version, and by a part that is not as it was."""
    check: object = module.check_version  # type: ignore[attr-defined]
    check("1.41.3")  # type: ignore[operator]
    check()  # type: ignore[operator]
    for found in ("1.42.0", "1.4", "2.41.0"):
        with pytest.raises(OperatorError, match=r"was made for 1\.41") as told:
            check(found)  # type: ignore[operator]
        assert "flwr==1.41" in told.value.remedy


@pytest.mark.parametrize("module", [server.deployment.flower, client.node.flower])
def test_every_part_of_flower_that_is_used_is_there(
    module: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    """For each process; one that is missing is named."""
    parts: dict[str, object] = module.PARTS  # type: ignore[attr-defined]
    for process in parts:
        module.check_parts(process)  # type: ignore[attr-defined]
    for wrong in ({"flwr": ("no_such_part",)}, {"flwr.no_such_module": ("x",)}):
        monkeypatch.setitem(parts, "mine", wrong)
        with pytest.raises(OperatorError, match="is not as it was"):
            module.check_parts("mine")  # type: ignore[attr-defined]
