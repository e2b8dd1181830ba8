"""Models are used only if two operators say so, and only as the run's totals fold."""

import json
from functools import partial
from pathlib import Path
from shutil import rmtree

import pytest
from safetensors.numpy import load, save

from server.cli import main
from server.deployment.models import listed, promote, propose
from server.deployment.promotions import FILE, append, read_promotions, signed
from server.simulation.founding import now
from shared.errors import OperatorError
from tests.server.deployment.coordinator_folder import CoordinatorFolder, coordinator_in


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> CoordinatorFolder:
    """A finished run, and two operators. Tests bring their own models folder."""
    from server.deployment.runs import start_run

    place = coordinator_in(tmp_path_factory.mktemp("promoting"))
    start_run(place.folder, "spring", place.agreement, place.superlink)
    place.carry()
    place.operator("anna")
    place.operator("ben")
    return place


@pytest.fixture
def place(finished: CoordinatorFolder) -> CoordinatorFolder:
    rmtree(finished.folder / "models", ignore_errors=True)
    (finished.folder / "revoked.json").unlink(missing_ok=True)
    return finished


def _home(place: CoordinatorFolder, code: str) -> Path:
    return place.folder.parent / code


def _proposed(place: CoordinatorFolder) -> int:
    return propose(place.folder, "spring", _home(place, "anna"), now()).number


def test_two_operators_put_a_model_to_use(place: CoordinatorFolder) -> None:
    """The one proposes, the other promotes; both stand in the list, and `current` names it."""
    assert _proposed(place) == 1
    assert not listed(place.folder)[0].current
    made = promote(place.folder, 1, _home(place, "ben"), now())
    assert (made.current, made.proposed_by, made.promoted_by) == (True, "anna", "ben")
    assert (place.folder / "models" / "current").read_text() == "1\n"
    assert (place.folder / "models" / "1" / "digest").read_text().strip() == made.digest


def test_one_operator_alone_cannot(place: CoordinatorFolder) -> None:
    """Not under the same code, nor with the same key under another code."""
    number = _proposed(place)
    with pytest.raises(OperatorError, match="who proposed a model does not promote it"):
        promote(place.folder, number, _home(place, "anna"), now())
    assert not (place.folder / "models" / "current").exists()


def test_a_key_with_two_codes_is_one_operator(place: CoordinatorFolder) -> None:
    """A second certificate over the same key makes no second person."""
    from server.authority import issue
    from shared.identity.certificate import public_of
    from shared.identity.pem import certificate_to_pem

    number = _proposed(place)
    home = place.operator("anna-again")
    from server.keys import read_private

    key = (_home(place, "anna") / "own" / "identity.key").read_bytes()
    (home / "own" / "identity.key").write_bytes(key)
    public = public_of(read_private(home / "own" / "identity.key"))
    issued = issue(
        place.authority, "anna-again", "operator", public, days=9, now=now(), random=_zeros
    )
    (home / "certificate.crt").write_bytes(certificate_to_pem(issued))
    with pytest.raises(OperatorError, match="who proposed a model does not promote it"):
        promote(place.folder, number, home, now())


def test_a_code_with_two_keys_is_one_operator(place: CoordinatorFolder) -> None:
    """A renewed key under the same code makes no second person, though the two keys differ; with
    it another code's proposal is promoted (control).
    """
    from server.actor import write_actor
    from server.deployment.promotions import read_operator
    from tests.identities import fixed_random

    number, home = _proposed(place), place.folder.parent / "anna-renewed"
    write_actor(
        home,
        place.authority,
        "anna",
        "operator",
        days=30,
        now=now(),
        random=fixed_random("a renewed key"),
    )
    old, new = (
        read_operator(one, place.authority.certificate, now()).member
        for one in (_home(place, "anna"), home)
    )
    assert old.code == new.code
    assert old.public != new.public
    with pytest.raises(OperatorError, match="who proposed a model does not promote it"):
        promote(place.folder, number, home, now())
    rmtree(place.folder / "models")
    other = propose(place.folder, "spring", _home(place, "ben"), now()).number
    assert promote(place.folder, other, home, now()).promoted_by == "anna"


def _zeros(size: int) -> bytes:
    return b"\x01" * size


def test_who_is_no_operator_or_revoked_cannot(place: CoordinatorFolder) -> None:
    """A lender's certificate is none, and a revoked code counts no more."""
    with pytest.raises(OperatorError, match="is a lender's certificate"):
        propose(place.folder, "spring", place.lenders.homes[0], now())
    (place.folder / "revoked.json").write_text('["anna"]')
    with pytest.raises(OperatorError, match="anna is revoked"):
        _proposed(place)


@pytest.mark.parametrize("when", ["before the proposal", "after it", "in the copy"])
def test_a_model_changed_on_the_disk_is_refused(place: CoordinatorFolder, when: str) -> None:
    """The run's totals are folded again each time, and the copy is compared."""
    model = place.folder / "runs" / "spring" / "model" / "model.safetensors"
    kept, number = model.read_bytes(), 0
    if when != "before the proposal":
        number = _proposed(place)
    target = place.folder / "models" / "1" / model.name if when == "in the copy" else model
    tensors = load(kept)
    name = max(tensors, key=lambda one: tensors[one].size * (tensors[one].dtype.kind == "f"))
    tensors[name].flat[0] += 0.125
    target.write_bytes(save(tensors))
    act = partial(promote, place.folder, number, _home(place, "ben"), now())
    try:
        with pytest.raises(OperatorError, match="not the model"):
            act() if number else _proposed(place)
    finally:
        model.write_bytes(kept)
    assert not any(one.current for one in listed(place.folder))


def test_the_journal_is_only_added_to(place: CoordinatorFolder) -> None:
    """An edited, removed or reordered line is found; a line cut off by a crash was never said."""
    number = _proposed(place)
    promote(place.folder, number, _home(place, "ben"), now())
    path = place.folder / "models" / FILE
    whole = path.read_bytes()
    first, second = whole.splitlines(keepends=True)
    edited = first.replace(b'"anna"', b'"ben"', 1)
    for wrong in (edited + second, second, second + first, first + second.replace(b"spring", b"s")):
        path.write_bytes(wrong)
        with pytest.raises(OperatorError, match=r"line \d was changed"):
            listed(place.folder)
    path.write_bytes(first + second[:-9])
    assert [one.current for one in listed(place.folder)] == [False]
    promote(place.folder, number, _home(place, "ben"), now())
    assert [one.current for one in listed(place.folder)] == [True]


def test_a_promotion_written_by_hand_is_not_believed(place: CoordinatorFolder) -> None:
    """A line that one operator signed for both roles does not follow from the proposal, even if it
    is put into the file past the command.
    """
    from dataclasses import replace

    from server.deployment.promotions import read_operator

    _proposed(place)
    models, authority = place.folder / "models", place.authority.certificate
    anna = read_operator(_home(place, "anna"), authority, now())
    (proposal,) = read_promotions(models, authority)
    forged = signed(replace(proposal, act="promote", before=proposal.link()), anna)
    append(models, forged, authority)
    with pytest.raises(OperatorError, match="line 2 was changed, or is not an operator's"):
        listed(place.folder)


def test_commands(place: CoordinatorFolder, capsys: pytest.CaptureFixture[str]) -> None:
    """propose, promote, list: exit status 0; a refusal is 2 and says what to do."""
    folder, anna, ben = (
        str(path) for path in (place.folder, *map(place.folder.parent.joinpath, ("anna", "ben")))
    )
    assert main(["model", "propose", folder, "spring", "--operator", anna]) == 0
    assert main(["model", "promote", folder, "1", "--operator", anna, "--json"]) == 2
    assert main(["model", "promote", folder, "1", "--operator", ben]) == 0
    assert main(["model", "promote", folder, "7", "--operator", ben]) == 2
    out, err = capsys.readouterr()
    assert "lianfang-server model promote" in out
    assert "let another operator than anna promote it" in err
    assert main(["model", "list", folder, "--json"]) == 0
    (told,) = json.loads(capsys.readouterr().out)
    assert (told["current"], told["run"]) == (True, "spring")
