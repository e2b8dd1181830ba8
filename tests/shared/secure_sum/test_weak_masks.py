"""An upload with all but one of its masks known looks like noise, and only then.

The attacker knows the lender's self-mask seed and every pair key but one honest pair's.
"""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import stats

from shared.secure_sum import lender_checks
from shared.secure_sum.lender_secrets import SlotSecrets
from shared.secure_sum.lender_side import LenderSide
from shared.secure_sum.masks import pair_keys, self_key
from shared.secure_sum.statements import MaskedInput, RoundOpen, name_of
from tests.shared.secure_sum.federation import identity, payload, seeded
from tests.shared.secure_sum.flower_secagg import CLIENT, generate_shared_key
from tests.shared.secure_sum.malicious import Attacked, slot_secrets, unmasked

NUMBERS = 100_000
VICTIM = "L02"
Words = NDArray[np.uint32]


def update(seed: int) -> NDArray[np.int64]:
    """Like a model's: most of it near zero, 10 fraction bits."""
    return np.round(np.random.default_rng(seed).normal(0, 0.3, NUMBERS) * 1024).astype(np.int64)


def looks_like_noise(residual: Words, plain: NDArray[np.int64]) -> bool:
    """χ² of the bytes, of each place in the word and of all, and correlation with the update."""
    octets = residual.astype("<u4").view(np.uint8)
    parts = [octets, *(octets[place::4] for place in range(4))]
    chances = [stats.chisquare(np.bincount(part, minlength=256)).pvalue for part in parts]
    rho = np.corrcoef(residual.view(np.int32), plain)[0, 1]
    return min(chances) > 1e-4 and abs(rho) < 4 / np.sqrt(len(plain))


def without_known_masks(attacked: Attacked, opened: RoundOpen, unknown: str) -> Words:
    """The victim's upload with its self-mask and all its pair masks off but one."""
    own = slot_secrets(attacked.federation, VICTIM, opened.slot)
    name, roll = name_of(attacked.suite, opened), attacked.set_up.roll
    others = [
        (place, keys.masks[opened.slot])
        for place, keys in enumerate(roll.keys)
        if keys.member not in (VICTIM, unknown)
    ]
    place = attacked.set_up.place(VICTIM)
    added, subtracted = pair_keys(attacked.suite, own.mask, place, others, name)
    residual = attacked.given[VICTIM].values.copy()
    known = [self_key(attacked.suite, own.seed, name), *added]
    attacked.suite.add_streams(residual, subtracted, known)
    return residual


@pytest.fixture
def attacked() -> Attacked:
    """Five lenders with updates of 100,000 numbers."""
    made = Attacked(5)
    made.vectors = {code: update(number) for number, code in enumerate(made.codes)}
    return made


@pytest.mark.parametrize("unknown", ["L01", "L03", "L05"])
def test_one_unknown_pair_hides_the_update(attacked: Attacked, unknown: str) -> None:
    """Added or subtracted alike; with that pair known too, what is left is the update."""
    opened = attacked.open(0, payload(0, NUMBERS))
    attacked.mask(opened, [VICTIM])
    plain = attacked.vectors[VICTIM]
    assert looks_like_noise(without_known_masks(attacked, opened, unknown), plain)
    bare = without_known_masks(attacked, opened, "nobody")
    np.testing.assert_array_equal(bare.view(np.int32), plain)


def test_what_is_not_masked_or_too_narrowly_does_not_look_like_noise() -> None:
    """Control: no mask at all, a mask of 28 bits, and of bytes that miss one value."""
    plain, rng = update(1), np.random.default_rng(5)
    weak = {
        "none": np.zeros(NUMBERS, np.uint32),
        "narrow": rng.integers(0, 2**28, NUMBERS, dtype=np.uint32),
        "no 255": rng.integers(0, 255, 4 * NUMBERS).astype(np.uint8).view("<u4"),
    }
    for mask in weak.values():
        assert not looks_like_noise(plain.astype(np.uint32) + mask, plain)
    uniform = rng.integers(0, 2**32, NUMBERS, dtype=np.uint32)
    assert looks_like_noise(plain.astype(np.uint32) + uniform, plain)
    assert not looks_like_noise(uniform // 2 + plain.astype(np.uint32), plain)


def test_every_bit_of_a_pair_key_varies_where_secagg_plus_folds_to_few(attacked: Attacked) -> None:
    """Control: SecAgg+ seeds its generator with 32 bits, of which some never change."""
    keys = []
    for number in range(100):
        fresh = seeded(f"pair {number}")
        public = attacked.suite.public_key(fresh(32))
        (pair,) = pair_keys(attacked.suite, fresh(32), 0, [(1, public)], fresh(32))[0]
        keys.append(int.from_bytes(pair, "big"))
    assert varying_bits(keys) == 256
    folded = []
    for _ in range(100):
        (own, _), (_, public) = CLIENT.generate_key_pairs(), CLIENT.generate_key_pairs()
        shared = generate_shared_key(own, public)
        words = [shared[start : start + 4] for start in range(0, len(shared), 4)]
        folded.append(int(np.bitwise_xor.reduce([int.from_bytes(w, "little") for w in words])))
    assert varying_bits(folded) < 32


def varying_bits(numbers: list[int]) -> int:
    """Bits that are not the same in all numbers."""
    ever, always = 0, -1
    for number in numbers:
        ever |= number
        always &= number
    return (ever & ~always).bit_count()


# A key recovered for an absent lender


def three_rounds(attacked: Attacked) -> dict[int, tuple[RoundOpen, MaskedInput, bytes, bytes]]:
    """Rounds 0, 1 and 2; the victim is dead in 1. Of each: its RoundOpen, the victim's upload, and
    its two secrets as far as the coordinator learns them.
    """
    rounds = {}
    for slot in range(3):
        opened = attacked.open(slot, payload(slot, NUMBERS))
        name = attacked.mask(opened)
        alive = attacked.all_but(VICTIM) if slot == 1 else tuple(attacked.codes)
        attacked.seeds, attacked.keys = ({code: {} for code in attacked.codes} for _ in range(2))
        attacked.tell(name, dict.fromkeys(alive, alive))
        seed = b"" if slot == 1 else attacked.seed(VICTIM)
        key = attacked.key(VICTIM) if slot == 1 else b""
        rounds[slot] = (opened, attacked.given[VICTIM], seed, key)
        answered = [attacked.federation.sides[c].answer(attacked.survivors(name, alive))
                    for c in alive]  # fmt: skip
        proofs = tuple((answer.member, answer.signature) for answer in answered)
        attacked.federation.agreed |= dict.fromkeys(alive, proofs)
    return rounds


def attack_neighbours(attacked: Attacked) -> dict[int, Words]:
    """The victim's uploads before and after, under the key of the round it was absent from."""
    rounds = three_rounds(attacked)
    key = rounds[1][3]
    read = {}
    for slot in (0, 2):
        opened, given, seed, _ = rounds[slot]
        vector = unmasked(attacked.suite, attacked.set_up, opened, given, seed, key)
        read[slot] = vector.astype(np.uint32)
    return read


def test_a_key_recovered_for_one_round_opens_none_before_or_after(attacked: Attacked) -> None:
    """The self-mask seeds of both neighbours are out, and still each upload looks like noise."""
    for residual in attack_neighbours(attacked).values():
        assert looks_like_noise(residual, attacked.vectors[VICTIM])


def test_one_mask_key_for_all_rounds_would_open_every_upload(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Control: the same attack on lenders that use their mask key again."""

    def once(self: LenderSide) -> SlotSecrets:
        kept = seeded(f"mask of {self._code}")(32)
        return SlotSecrets(kept, self._randomness(32))

    monkeypatch.setattr(LenderSide, "_fresh", once)
    publics = tuple(identity(f"L{number:02d}").member.public for number in range(1, 6))
    monkeypatch.setattr(lender_checks, "roll", lambda *_: publics)
    attacked = Attacked(5)
    attacked.vectors = {code: update(number) for number, code in enumerate(attacked.codes)}
    for vector in attack_neighbours(attacked).values():
        np.testing.assert_array_equal(vector.view(np.int32), attacked.vectors[VICTIM])
