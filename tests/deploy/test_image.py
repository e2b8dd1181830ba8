"""The steps of the Containerfile that need no engine, done in a temporary folder."""

from __future__ import annotations

import fnmatch
import json
import re
import shlex
import shutil
import subprocess
import sys
import tomllib
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[2]
CONTAINER = REPOSITORY / "deploy" / "container" / "Containerfile"
KNOWN = {
    *("FROM", "RUN", "ENV", "COPY", "USER", "WORKDIR", "VOLUME", "STOPSIGNAL", "CMD"),
}


def steps() -> list[tuple[str, str]]:
    """Instruction and the rest of it, continued lines joined."""
    text = re.sub(r"\\\n\s*", " ", CONTAINER.read_text(encoding="utf-8"))
    lines = [line for line in text.splitlines() if line.strip() and not line.startswith("#")]
    return [(line.split()[0], line.split(maxsplit=1)[1]) for line in lines]


def copied(to: Path) -> Path:
    """What `COPY … /source` takes from the repository."""
    source = to / "source"
    ignored = (CONTAINER.parent / "Containerfile.dockerignore").read_text().split()
    for word, rest in steps():
        names = rest.split()
        if word != "COPY" or names[0].startswith("--from"):
            continue
        for name in names[:-1]:
            assert not any(fnmatch.fnmatch(name, one) for one in ignored), name
            place = source / names[-1].removeprefix("/source").strip("/")
            if (REPOSITORY / name).is_dir():
                shutil.copytree(
                    REPOSITORY / name, place, ignore=shutil.ignore_patterns("__pycache__")
                )
            else:
                place.mkdir(parents=True, exist_ok=True)
                shutil.copy2(REPOSITORY / name, place / name)
    return source


def installed(source: Path) -> Path:
    """What `pip install` of that makes, without what it depends on."""
    words = ["wheel", "--quiet", "--no-deps", "--no-build-isolation", "--no-index"]
    made = source.parent / "made"
    subprocess.run(
        [sys.executable, "-m", "pip", *words, "-w", str(made), str(source)],
        check=True, capture_output=True, timeout=300,
    )  # fmt: skip
    (wheel,) = made.glob("*.whl")
    with zipfile.ZipFile(wheel) as packed:
        packed.extractall(made / "there")
    return made / "there"


def run(there: Path, program: str, *words: str) -> subprocess.CompletedProcess[str]:
    """A command of the image, with the packages that were installed and nothing of this folder."""
    (entry,) = there.glob("*.dist-info/entry_points.txt")
    module, function = re.findall(rf"^{program} = (.+):(.+)$", entry.read_text(), re.MULTILINE)[0]
    lines = (
        "import sys",
        f"sys.path[:] = [{str(there)!r}, *(one for one in sys.path if one != {str(REPOSITORY)!r})]",
        "sys.meta_path[:] = [one for one in sys.meta_path if 'editable' not in repr(one)]",
        f"from {module} import {function}",
        f"sys.exit({function}(sys.argv[1:]))",
    )
    return subprocess.run(
        [sys.executable, "-W", "ignore", "-I", "-c", "; ".join(lines), *words],
        capture_output=True, text=True, timeout=120, check=False, cwd=there,
    )  # fmt: skip


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return installed(copied(tmp_path_factory.mktemp("image")))


def test_what_is_copied_builds_and_holds_all_that_is_read(image: Path) -> None:
    """Every file of the packages that is no generated form of another is there."""
    for package in ("client", "server", "shared", "configs"):
        for path in (REPOSITORY / package).rglob("*"):
            if path.is_file() and path.suffix in (".py", ".toml", ".css", ".js", ".html"):
                assert (image / path.relative_to(REPOSITORY)).exists(), path


def test_the_images_commands_start_and_found_a_consortium(image: Path, tmp_path: Path) -> None:
    """Both programs say their help; the coordinator's makes a folder, its bundle too; a lender's
    node says what its folder lacks.
    """
    for program in ("lianfang-client", "lianfang-server"):
        assert run(image, program, "start", "-h").returncode == 0
    folder = tmp_path / "folder"
    words = ("--name", "Five", "--gate", "a.example:8443", "--enrol", "a.example:8444", "--json")
    schema = str(image / "configs" / "consortium.toml")
    done = run(image, "lianfang-server", "init", str(folder), "--schema", schema, *words)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["folder"] == str(folder)
    assert (folder / "bundle" / "lianfang.fab").exists()
    (told,) = [rest for word, rest in steps() if word == "CMD"]
    program, *rest = json.loads(told)
    empty = tmp_path / "empty"
    empty.mkdir()
    done = run(image, program, *[word.replace("/folder", str(empty)) for word in rest])
    assert done.returncode == 2
    assert "Traceback" not in done.stderr


def test_without_one_of_the_folders_the_image_would_not_work(image: Path, tmp_path: Path) -> None:
    """The control: the tests above see what was installed, not this repository."""
    there = tmp_path / "there"
    shutil.copytree(image, there, ignore=shutil.ignore_patterns("shared"))
    done = run(there, "lianfang-server", "-h")
    assert done.returncode == 1
    assert "No module named 'shared'" in done.stderr


def test_the_file_has_only_steps_that_are_known_and_fit_together() -> None:
    """What is copied from the first stage is made there, and is where the programs are looked for;
    the folder is the same everywhere; pip is asked for what the project wants.
    """
    found = steps()
    assert {word for word, _ in found} == KNOWN
    of: Callable[[str], list[str]] = lambda name: [rest for word, rest in found if word == name]  # noqa: E731
    (stage,) = [rest.split(" AS ")[1] for rest in of("FROM") if " AS " in rest]
    (taken,) = [rest for rest in of("COPY") if rest.startswith("--from")]
    source, place, target = taken.split()
    assert (source, place) == (f"--from={stage}", target)
    assert f"RUN python -m venv {target}" in [" ".join(one) for one in found]
    assert f"PATH={target}/bin:$PATH" in " ".join(of("ENV"))
    assert of("WORKDIR") == of("VOLUME") == ["/folder"]
    (made,) = [shlex.split(rest) for rest in of("RUN") if "useradd" in rest]
    assert made[made.index("--uid") + 1] == of("USER")[0].split(":")[0]
    image = {rest.split()[0] for rest in of("FROM")}
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text(encoding="utf-8"))
    least = project["project"]["requires-python"].removeprefix(">=")
    assert image == {f"docker.io/library/python:{least}-slim-bookworm"}
