"""A coordinator tells every lender another story of who survived, and some lenders help it.

n lenders on the roll, t shares open a secret, c lenders collude and hand over all they hold.
Honest lenders that masked are D, whose mask key is opened, or O, all others: what can be opened is
the sum over O and the colluders, no smaller. `most_opened` counts how large D can be made: an
honest lender in D needs t − c honest key shares, an honest lender gives n − t of them at most, and
none of itself.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from functools import cache
from itertools import combinations, product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.secure_sum.floors import Floors, least_threshold
from shared.secure_sum.history import History
from shared.secure_sum.lender_side import LenderSide, UnprovenError
from shared.secure_sum.masks import pair_keys, self_key
from shared.secure_sum.statements import Answer, RoundOpen, answer_transcript, name_of
from tests.shared.secure_sum.federation import MemoryJournal, MemoryStore, identity, payload
from tests.shared.secure_sum.malicious import Attacked, assert_refused, combined, slot_secrets

Stories = dict[str, tuple[str, ...]]
"""For each honest lender the survivors it is told."""


def most_opened(lenders: int, threshold: int, colluders: int) -> int:
    """How many honest lenders' mask keys can be opened at most, by one question to each lender."""
    honest, spare = lenders - colluders, lenders - threshold
    for opened in range(honest, 0, -1):
        given = opened * min(spare, opened - 1) + (honest - opened) * min(spare, opened)
        if given >= opened * (threshold - colluders) and honest > threshold - colluders:
            return opened
    return 0


class Told:
    """A round all have masked, which can be closed with any stories, again and again."""

    def __init__(self, lenders: int, threshold: int | None = None) -> None:
        self.attacked = Attacked(lenders, threshold=threshold, slots=2)
        self.threshold = self.attacked.set_up.threshold
        self.codes = self.attacked.codes
        self.opened: RoundOpen = self.attacked.open()
        self.name = self.attacked.mask(self.opened)
        self._stores = {
            code: list(s.records) for code, s in self.attacked.federation.stores.items()
        }
        self._records = {c: list(j.records) for c, j in self.attacked.federation.journals.items()}
        self.secrets = {c: slot_secrets(self.attacked.federation, c, 0) for c in self.codes}
        self.sides: dict[str, LenderSide] = {}
        self.told: set[str] = set()

    def tell(self, stories: Mapping[str, Sequence[str]]) -> dict[str, Answer]:
        """The answers of lenders that are as they were after masking; colluders hand over all."""
        attacked = self.attacked
        attacked.seeds = {code: {} for code in self.codes}
        attacked.keys = {code: {} for code in self.codes}
        answers, self.told = {}, set(stories)
        for code, alive in stories.items():
            self._restore(code)
            answers[code] = self.sides[code].answer(attacked.survivors(self.name, alive))
            attacked.keep(answers[code], alive)
        for code in self.codes:
            if code not in stories:
                for place, owner in enumerate(self.codes):
                    attacked.seeds[owner][code] = self.secrets[code].share(place, of_seed=True)
                    attacked.keys[owner][code] = self.secrets[code].share(place, of_seed=False)
        return answers

    def _restore(self, code: str) -> None:
        federation, journal = self.attacked.federation, MemoryJournal()
        for record in self._records[code]:
            journal.append(record)
        store = federation.stores[code]
        federation.stores[code] = MemoryStore(store.kept, list(self._stores[code]))
        federation.journals[code] = journal
        self.sides[code] = federation.side(code)

    def opened_keys(self) -> set[str]:
        """Whose mask keys there are enough shares of."""
        return {c for c, shares in self.attacked.keys.items() if len(shares) >= self.threshold}

    def opened_seeds(self) -> set[str]:
        """Whose self-mask seeds there are enough shares of."""
        return {c for c, shares in self.attacked.seeds.items() if len(shares) >= self.threshold}


told = cache(Told)


def sets_of(codes: Sequence[str], threshold: int, asked: str) -> list[tuple[str, ...]]:
    """Every set of survivors a lender would answer."""
    others = [code for code in codes if code != asked]
    return [
        tuple(code for code in codes if code not in gone)
        for size in range(len(codes) - threshold + 1)
        for gone in combinations(others, size)
    ]


def counted(
    codes: Sequence[str], threshold: int, stories: Mapping[str, Sequence[str]]
) -> tuple[set[str], set[str]]:
    """Honest lenders whose seeds, and whose keys, open: by counting, no lender asked."""
    helpers = len(codes) - len(stories)
    alive = Counter(code for survivors in stories.values() for code in survivors)
    seeds = {code for code in stories if alive[code] + helpers >= threshold}
    keys = {code for code in stories if len(stories) - alive[code] + helpers >= threshold}
    return seeds, keys


SMALL = [(n, c) for n in (3, 4, 5) for c in range(n // 3 + 1)] + [(6, 2), (7, 2)]


@pytest.mark.parametrize(("lenders", "colluders"), SMALL)
def test_no_stories_at_all_open_both_secrets_of_a_lender(lenders: int, colluders: int) -> None:
    """All combinations of all sets lenders would answer, counted; 6 and 7 up to the same parts of
    the story for the last honest lenders. The bound on D is reached, never passed.
    """
    codes = [f"L{number:02d}" for number in range(1, lenders + 1)]
    threshold, honest = least_threshold(lenders), codes[colluders:]
    choices = [sets_of(codes, threshold, code) for code in honest]
    if lenders > 5:  # a tenth of a second instead of minutes
        choices = [sets[:: max(1, len(sets) // 6)] for sets in choices]
    largest = 0
    for told_sets in product(*choices):
        seeds, keys = counted(codes, threshold, dict(zip(honest, told_sets, strict=True)))
        assert not seeds & keys
        largest = max(largest, len(keys))
    most = most_opened(lenders, threshold, colluders)
    assert largest <= most
    assert lenders > 5 or largest == most


@st.composite
def lying(draw: st.DrawFn) -> tuple[int, int, Stories]:
    """n from 3 to 12, up to a third colluding, and any stories."""
    lenders = draw(st.integers(3, 12))
    colluders = draw(st.integers(0, lenders // 3))
    codes = [f"L{number:02d}" for number in range(1, lenders + 1)]
    spare = lenders - least_threshold(lenders)
    stories = {}
    for code in codes[colluders:]:
        others = [other for other in codes if other != code]
        gone = draw(st.lists(st.sampled_from(others), unique=True, max_size=spare))
        stories[code] = tuple(other for other in codes if other not in gone)
    return lenders, colluders, stories


@settings(max_examples=150, deadline=None)
@given(lying())
def test_no_lender_gives_what_opens_both_secrets_of_another(case: tuple[int, int, Stories]) -> None:
    """On the shares real lenders release; and what does open is what its owner committed to."""
    lenders, colluders, stories = case
    scene = told(lenders)
    scene.tell(stories)
    seeds, keys = scene.opened_seeds(), scene.opened_keys()
    honest = set(stories)
    assert not seeds & keys & honest
    assert (seeds & honest, keys & honest) == counted(scene.codes, scene.threshold, stories)
    assert len(keys & honest) <= most_opened(lenders, scene.threshold, colluders)
    suite, roll = scene.attacked.set_up, scene.attacked.set_up.roll
    for code in sorted(keys & honest)[:1]:
        secret = combined(suite, scene.attacked.keys[code])
        public = scene.attacked.suite.public_key(scene.attacked.suite.private_key(secret))
        assert public == roll.keys[suite.place(code)].masks[0]


def worst(lenders: int, colluders: int) -> tuple[Stories, list[str]]:
    """Stories that open as many mask keys as can be: those of the last honest lenders."""
    codes = [f"L{number:02d}" for number in range(1, lenders + 1)]
    threshold = least_threshold(lenders)
    spare, need = lenders - threshold, threshold - colluders
    victims = codes[lenders - most_opened(lenders, threshold, colluders) :]
    missing = dict.fromkeys(victims, need)
    stories = {}
    # Lenders whose own key is to be opened cannot say so of themselves: they choose first.
    for code in [*victims, *[c for c in codes[colluders:] if c not in victims]]:
        able = sorted((v for v in victims if v != code), key=lambda v: -missing[v])[:spare]
        for victim in able:
            missing[victim] -= 1
        stories[code] = tuple(other for other in codes if other not in able)
    assert max(missing.values(), default=0) <= 0
    return stories, victims


CASES = [(n, c) for n in range(3, 13) for c in range(n // 3 + 1)]


@pytest.mark.parametrize(("lenders", "colluders"), CASES)
def test_the_smallest_sum_that_stories_can_open(lenders: int, colluders: int) -> None:
    """It is opened, exactly; it holds at least n − ⌊(n−c)(n−t)/(t−c)⌋ lenders with the colluders,
    and more than one honest lender in every case.
    """
    threshold = least_threshold(lenders)
    stories, victims = worst(lenders, colluders)
    scene = told(lenders)
    scene.tell(stories)
    honest = scene.codes[colluders:]
    rest = [code for code in honest if code not in victims]
    assert set(victims) == scene.opened_keys() & set(honest)
    bound = (lenders - colluders) * (lenders - threshold) // (threshold - colluders)
    assert len(victims) <= min(bound, len(honest))
    assert len(rest) + colluders >= lenders - bound
    assert len(rest) >= 2
    np.testing.assert_array_equal(
        opened_sum(scene, rest, [*scene.codes[:colluders], *victims]),
        sum(scene.attacked.vectors[code] for code in rest),
    )


def opened_sum(scene: Told, summed: list[str], known: list[str]) -> np.ndarray:
    """The sum of some lenders' vectors, by the seeds of those and the mask keys of all others."""
    attacked, name = scene.attacked, scene.name
    suite, roll = attacked.suite, attacked.set_up.roll
    total = np.zeros(20, np.uint32)
    for code in summed:
        total += attacked.given[code].values
        suite.add_streams(total, [], [self_key(suite, attacked.seed(code), name)])
    publics = [(attacked.set_up.place(c), roll.keys[attacked.set_up.place(c)].masks[0])
               for c in summed]  # fmt: skip
    for code in known:
        mask = attacked.key(code) if code in scene.told else scene.secrets[code].mask
        suite.add_streams(
            total, *pair_keys(suite, mask, attacked.set_up.place(code), publics, name)
        )
    return total.view(np.int32).astype(np.int64)


def test_with_half_as_threshold_stories_open_both_secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    """Control: the floor of ⌊2n/3⌋ + 1 is what stands against it."""
    monkeypatch.setattr(Floors, "check_roll", lambda *_: None)
    scene = Told(6, threshold=4)
    all_, without = tuple(scene.codes), tuple(c for c in scene.codes if c != "L06")
    scene.tell({"L03": all_, "L04": all_, "L05": without, "L06": all_})
    assert "L06" in scene.opened_seeds()
    assert len(scene.attacked.keys["L06"]) == 3
    scene.tell({"L03": all_, "L04": without, "L05": without, "L06": all_})
    assert "L06" in scene.opened_seeds() & scene.opened_keys()
    vector = scene.attacked.read(scene.opened, "L06")
    np.testing.assert_array_equal(vector, scene.attacked.vectors["L06"])


@settings(max_examples=60, deadline=None)
@given(lying())
def test_only_lenders_told_alike_with_a_threshold_go_on(case: tuple[int, int, Stories]) -> None:
    """Of any two groups told differently one has fewer than t signatures, colluders' included: it
    refuses the next round. So after two stories at most one group goes on.
    """
    lenders, colluders, stories = case
    scene = told(lenders)
    answers = scene.tell(stories)
    federation, suite = scene.attacked.federation, scene.attacked.suite
    groups = Counter(stories.values())
    next_round, gone_on = scene.attacked.open(1), set()
    for code, alive in stories.items():
        alike = [c for c in answers if stories[c] == alive]
        proofs = [(c, answers[c].signature) for c in alike]
        proofs += [(c, colluding(scene, c, alive)) for c in scene.codes[:colluders] if c in alive]
        enough = groups[alive] + sum(c in alive for c in scene.codes[:colluders]) >= scene.threshold
        vector = scene.attacked.vectors[code]
        for side in (scene.sides[code], federation.side(code)):
            ask = (next_round, next_round.payload, vector)
            if enough:
                side.mask(*ask, purpose="a test", agreed=proofs)
                gone_on.add(alive)
            else:
                with pytest.raises(UnprovenError):
                    side.mask(*ask, purpose="a test", agreed=proofs)
    assert len(gone_on) <= 1
    if scene.opened_keys() & set(stories) and len(gone_on) == 1:
        # A story that t lenders were told is what is opened: no other sum is.
        (alive,) = gone_on
        assert not scene.opened_keys() & set(stories) & set(alive)
    assert name_of(suite, scene.opened) == scene.name


def colluding(scene: Told, code: str, alive: tuple[str, ...]) -> bytes:
    """A colluder signs whatever helps."""
    return sign(scene.attacked, scene.name, code, alive)


def test_stories_that_open_the_smallest_sum_stop_every_lender() -> None:
    """With twelve lenders nobody is told the same as eight others; the next round gets nothing."""
    for colluders in range(5):
        stories, victims = worst(12, colluders)
        assert victims
        assert max(Counter(stories.values()).values()) + colluders < least_threshold(12)


def test_stories_do_not_get_round_the_difference_rule(monkeypatch: pytest.MonkeyPatch) -> None:
    """After a sum of counts of all twelve, stories with a companion of the victim among the dead,
    another one every few lenders, would open the sum of all but the victim. Every lender insists on
    the lenders of the first sum. Control: without the rule the victim's numbers are the difference.
    """
    scene = Attacked(12, slots=3)
    name = scene.mask(scene.open(0, payload(0, 20, "counts")))
    scene.tell(name, dict.fromkeys(scene.codes, scene.codes))
    alike = [(c, sign(scene, name, c, tuple(scene.codes))) for c in scene.codes]
    scene.federation.agreed = dict.fromkeys(scene.codes, tuple(alike))

    second = scene.mask(scene.open(1, payload(1, 20, "counts")))
    told_gone = dict.fromkeys(scene.codes, ())
    for code, companion in zip(scene.codes[1:10], ["L11", "L12", "L02"] * 3, strict=True):
        told_gone[code] = ("L01", companion if companion != code else "L12")
    stories = {code: scene.all_but(*gone) for code, gone in told_gone.items() if gone}
    for code, alive in stories.items():
        told = scene.survivors(second, alive)
        assert_refused(
            scene.federation, lambda side, told=told: side.answer(told), told, "difference", [code]
        )

    monkeypatch.setattr(History, "survivors_of", lambda *_: [])
    scene.seeds, scene.keys = ({code: {} for code in scene.codes} for _ in range(2))
    scene.tell(second, {c: scene.all_but(*gone) for c, gone in told_gone.items()})
    threshold = scene.set_up.threshold
    assert [c for c in scene.codes if len(scene.keys[c]) >= threshold] == ["L01"]
    assert [c for c in scene.codes if len(scene.seeds[c]) >= threshold] == scene.codes[1:]
    assert max(Counter(stories.values()).values()) < threshold


def sign(scene: Attacked, name: bytes, code: str, alive: tuple[str, ...]) -> bytes:
    """A lender's signature over the survivors it was told."""
    return scene.suite.sign(identity(code).private, answer_transcript(name, alive))
