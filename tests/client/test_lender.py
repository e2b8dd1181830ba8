"""A lender at work: it answers what its own copy of the run says is due, and catches up alone."""

import json
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from numpy.typing import NDArray

from client.lender import Lender
from client.settings import read_settings
from shared.errors import InternalError, OperatorError, PeerError
from shared.model.saved import digest_of, from_files
from shared.schema import Table
from shared.training.agreement import Agreement
from shared.training.census import CENSUS_LENGTH, SIZE_CLASSES
from shared.training.run import Run
from shared.wire.messages import (
    Ask,
    Behind,
    Sum,
    pack_question,
    pack_reply,
    parse_question,
    parse_reply,
)
from tests.client.lender_folder import frame_of, make_folder
from tests.shared.training.synthetic_book import SCHEMA, conduct, lender, make_book

TERMS = Agreement("lender", SCHEMA, rounds=2, seed=3, sums="plain")
BOOK = make_book(100)
OWNERS = np.repeat([0, 1, 2], [48, 48, 4])  # too few rows each for more than an intercept
POOLED = conduct(TERMS, [lender(BOOK, TERMS)])


@dataclass
class Consortium:
    """Three open lenders, and a coordinator's copy of the run with what it has released."""

    folders: list[Path]
    lenders: list[Lender]
    run: Run
    released: list[NDArray[np.int64]]

    def ask(self, first: int | None = None, **changes: object) -> Ask:
        """The question that is due, with the totals from number `first` (all but the last) on."""
        start = max(0, len(self.released) - 1) if first is None else first
        fine = Ask(
            TERMS.digest(),
            self.run.question().stage,
            start,
            self.run.digest,
            tuple(self.released[start:]),
        )
        return replace(fine, **changes)

    def stage(self) -> NDArray[np.int64]:
        """Ask everybody over the wire's own form, add up, absorb; the total."""
        question, vectors = parse_question(pack_question(self.ask())), []
        for member in self.lenders:
            reply = parse_reply(pack_reply(member.reply(question)))
            assert isinstance(reply, Sum)
            vectors.append(reply.vector)
        self.released.append(np.sum(vectors, axis=0))
        self.run.absorb(self.released[-1])
        return self.released[-1]


def part(owner: int) -> Table:
    return BOOK.take(np.flatnonzero(owner == OWNERS))


@pytest.fixture
def consortium(tmp_path: Path) -> Consortium:
    folders = [make_folder(tmp_path, f"L0{i + 1}", frame_of(part(i)), TERMS) for i in range(3)]
    lenders = [Lender(read_settings(folder)) for folder in folders]
    return Consortium(folders, lenders, Run(TERMS), [])


def test_a_whole_run_over_folders_gives_the_pooled_model(consortium: Consortium) -> None:
    """Every total up to the end of training is that of one lender with all rows."""
    while not consortium.run.finished:
        stage, total = consortium.run.question().stage, consortium.stage()
        if stage not in ("mixture", "evaluation", "close"):
            pooled = POOLED.totals[len(consortium.released) - 1]
            kept = np.arange(len(total))
            if stage == "census":  # but the lenders by size class, which follow the spread
                kept = np.delete(kept, slice(CENSUS_LENGTH - SIZE_CLASSES, CENSUS_LENGTH))
            assert total[kept].tobytes() == pooled[kept].tobytes()
    assert digest_of(consortium.run.model()) == digest_of(POOLED.run.model())
    ours, theirs = consortium.run.evaluation, POOLED.run.evaluation
    assert ours is not None
    assert theirs is not None
    np.testing.assert_array_equal(ours.shared, theirs.shared)
    assert ours.personal.sum() == theirs.personal.sum()


def test_results_are_written_at_the_end_and_only_then(consortium: Consortium) -> None:
    """Nothing before the closing question; then the model, its scores and measures, as released."""

    def results() -> list[Path]:
        names = ("result.json", "test_scores.parquet", "model")
        made = [folder / "own" / name for folder in consortium.folders for name in names]
        return [path for path in made if path.exists()]

    while not consortium.run.finished:
        assert results() == [], consortium.run.question().stage
        consortium.stage()
    assert len(results()) == 9
    for owner, folder in enumerate(consortium.folders):
        own, result = folder / "own", json.loads((folder / "own" / "result.json").read_text())
        names = ("model.json", "model.safetensors")
        model = from_files({name: (own / "model" / name).read_bytes() for name in names})
        assert digest_of(model) == result["model"] == digest_of(consortium.run.model())
        assert (result["member"], result["agreement"]) == (f"L0{owner + 1}", TERMS.digest())
        rows = lender(part(owner), TERMS)
        test = part(owner).take(rows.roles.test)
        scores = pd.read_parquet(own / "test_scores.parquet")
        assert scores["row_key"].tolist() == test.row_key.tolist()
        assert scores["bad"].tolist() == test.bad.tolist()
        np.testing.assert_array_equal(scores["shared"], model.logit(test))
        np.testing.assert_allclose(scores["personal"], scores["shared"] + result["intercept"])
        assert result["rows"] == part(owner).rows
        assert sum(result[f"{role}_rows"] for role in ("training", "validation", "test")) == len(
            frame_of(part(owner))
        )
        assert not list(own.rglob("*.partial"))


def state(member: Lender) -> tuple[str, int]:
    return member._run.digest, member._run.absorbed


def test_a_question_of_another_agreement_is_refused(consortium: Consortium) -> None:
    """Even with the right digest of totals; nothing moves."""
    member = consortium.lenders[0]
    before = state(member)
    with pytest.raises(PeerError, match="agreement"):
        member.reply(consortium.ask(run=replace(TERMS, seed=4).digest()))
    assert state(member) == before


def test_a_stage_that_is_not_due_is_refused(consortium: Consortium) -> None:
    """Neither an earlier nor a later one; and the due one is answered afterwards."""
    consortium.stage()
    for stage in ("census", "bins", "trees/0", "mixture", "evaluation", "close", ""):
        with pytest.raises(PeerError, match="due"):
            consortium.lenders[0].reply(consortium.ask(stage=stage))
    assert isinstance(consortium.lenders[0].reply(consortium.ask()), Sum)


def test_totals_that_are_not_the_runs_are_refused_and_forgotten(consortium: Consortium) -> None:
    """A bent total never gets an answer, and an honest coordinator can go on afterwards."""
    consortium.stage()
    bent = consortium.released[0].copy()
    bent[10] += 1
    member = consortium.lenders[0]
    with pytest.raises(PeerError, match="released totals"):
        member.reply(consortium.ask(released=(bent,)))
    assert isinstance(member.reply(consortium.ask()), Sum)


@pytest.mark.parametrize("wrong", ["short", "over the ring", "one class"])
def test_a_total_that_cannot_be_one_is_the_peers_fault(consortium: Consortium, wrong: str) -> None:
    """Refused while catching up; the right totals are accepted after at most one more question."""
    consortium.stage()
    total = consortium.released[0]
    bad = {
        "short": total[:-1],
        "over the ring": np.where(np.arange(len(total)) == 0, 2**40, total),
        "one class": np.where(np.arange(len(total)) == 1, 0, total),
    }[wrong]
    member = consortium.lenders[0]
    with pytest.raises(PeerError):
        member.reply(consortium.ask(released=(bad,)))
    assert isinstance(member.reply(consortium.ask()), Sum)


def test_a_lender_that_was_away_says_how_far_it_is(consortium: Consortium) -> None:
    """Told only the last total it answers "behind"; told all, it answers like everybody."""
    away = consortium.lenders.pop()
    for _ in range(4):
        consortium.stage()
    assert away.reply(consortium.ask()) == Behind("L03", 0)
    late = away.reply(consortium.ask(first=0))
    assert isinstance(late, Sum)
    fresh = Lender(read_settings(consortium.folders[2]))
    again = fresh.reply(consortium.ask(first=0))
    assert isinstance(again, Sum)
    assert late.vector.tobytes() == again.vector.tobytes()


def test_a_lender_is_told_totals_it_already_has(consortium: Consortium) -> None:
    """All of them again: only the new ones count."""
    for _ in range(3):
        consortium.stage()
    reply = consortium.lenders[0].reply(consortium.ask(first=0))
    assert isinstance(reply, Sum)
    assert consortium.lenders[0]._run.absorbed == 3


def test_a_coordinator_that_fell_back_is_followed(consortium: Consortium) -> None:
    """Resumed from an older checkpoint: the lender starts over and then gives the same answer."""
    for _ in range(2):
        consortium.stage()
    older, first = consortium.ask(first=1), consortium.lenders[0].reply(consortium.ask(first=1))
    assert isinstance(first, Sum)
    for _ in range(2):
        consortium.stage()
    # It now holds three or more totals, and is asked with two of which it is told the second.
    assert consortium.lenders[0].reply(older) == Behind("L01", 0)
    again = consortium.lenders[0].reply(
        replace(older, first=0, released=tuple(consortium.released[:2]))
    )
    assert isinstance(again, Sum)
    assert again.vector.tobytes() == first.vector.tobytes()


def test_asking_twice_gives_the_same_answer(consortium: Consortium) -> None:
    """At every stage, the personal layer's included."""
    member = consortium.lenders[0]
    while not consortium.run.finished:
        first, again = (member.reply(consortium.ask()) for _ in range(2))
        assert isinstance(first, Sum)
        assert isinstance(again, Sum)
        assert first.vector.tobytes() == again.vector.tobytes()
        consortium.stage()


def test_a_lender_of_one_row_takes_part_to_the_end(tmp_path: Path) -> None:
    """No measure can be given, and none is; the sums are complete."""
    one = make_folder(tmp_path, "L01", frame_of(BOOK.take(np.arange(1))), TERMS)
    rest = make_folder(tmp_path, "L02", frame_of(BOOK.take(np.arange(1, 100))), TERMS)
    both = [Lender(read_settings(folder)) for folder in (one, rest)]
    ours = Consortium([one, rest], both, Run(TERMS), [])
    while not ours.run.finished:
        ours.stage()
    assert digest_of(ours.run.model()) == digest_of(POOLED.run.model())
    result = json.loads((one / "own" / "result.json").read_text())
    assert (result["rows"], result["auc_shared"], result["auc_personal"]) == (1, None, None)


def test_a_table_that_does_not_fit_is_the_operators_to_mend(tmp_path: Path) -> None:
    """Found before the first answer."""
    frame = frame_of(part(0)).drop(columns="income")
    folder = make_folder(tmp_path, "L01", frame, TERMS)
    with pytest.raises(OperatorError, match="income"):
        Lender(read_settings(folder))


def test_plain_sums_are_refused_to_a_production_consortium(tmp_path: Path) -> None:
    """Before a row is read, whatever the founder's file says."""
    folder = make_folder(tmp_path, "L01", frame_of(part(0)), TERMS)
    terms = TERMS.to_dict() | {"profile": "production", "minimum_lenders": 5}
    (folder / "terms.json").write_text(json.dumps(terms))
    (folder / "loans.csv").unlink()
    with pytest.raises(OperatorError, match="production profile refuses plain sums"):
        Lender(read_settings(folder))


def test_a_lenders_secret_is_drawn_once_and_kept_to_its_owner(tmp_path: Path) -> None:
    """Without one in the settings: another for every lender, the same at every start."""
    secrets = []
    for member in ("L01", "L02"):
        folder = make_folder(tmp_path, member, frame_of(part(0)), TERMS)
        settings = (folder / "client.toml").read_text().replace("secret = 7\n", "")
        (folder / "client.toml").write_text(settings)
        drawn, again = (read_settings(folder).secret for _ in range(2))
        assert drawn == again
        assert (folder / "own" / "secret").stat().st_mode & 0o777 == 0o600
        secrets.append(drawn)
    assert secrets[0] != secrets[1]


def test_what_a_lender_sends_holds_no_row(consortium: Consortium) -> None:
    """No row key and no cell of text is in any packed reply, up to the end of the run."""
    keys = [str(key).encode() for key in BOOK.row_key]
    while not consortium.run.finished:
        for member in consortium.lenders:
            packed = pack_reply(member.reply(consortium.ask()))
            config = str(dict(packed["reply"])).encode()
            content = b"".join(a.data for r in packed.array_records.values() for a in r.values())
            assert not any(key in config + content for key in keys)
            assert set(packed["reply"]) == {"kind", "member", "stage"}
        consortium.stage()


def test_after_the_end_there_is_nothing_to_ask(consortium: Consortium) -> None:
    """All totals absorbed, the closing one too: no answer is due."""
    while not consortium.run.finished:
        consortium.stage()
    over = Ask(TERMS.digest(), "close", 0, consortium.run.digest, tuple(consortium.released))
    with pytest.raises((PeerError, InternalError), match="over"):
        consortium.lenders[0].reply(over)
