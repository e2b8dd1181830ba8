"""Each family's finished model scores as its run did; the blend weighs its parts by summed loss."""

from dataclasses import replace
from functools import lru_cache

import numpy as np
import pytest
from sklearn.metrics import log_loss, roc_auc_score

from shared.model.saved import digest_of
from shared.model.shared_model import pd_of
from shared.training.agreement import Agreement, Family
from shared.training.blended import SHARES, BlendFamily
from shared.training.boosted import SMALL_ROWS, boosting_settings
from shared.training.question import MOST_BITS
from tests.shared.training.synthetic_book import (
    SCHEMA,
    Conducted,
    conduct,
    lender,
    make_book,
    spread,
)

BOOK = make_book(500, seed=2)
TERMS = Agreement("families", SCHEMA, seed=3)
FAMILIES: dict[Family, int] = {"boosted": 12, "network": 2, "blend": 2}


@lru_cache(maxsize=3)
def conducted(family: Family) -> Conducted:
    terms = replace(TERMS, family=family, rounds=FAMILIES[family])
    return conduct(terms, spread(BOOK, np.arange(BOOK.rows) % 3, 3, terms))


@pytest.mark.parametrize("family", FAMILIES)
def test_the_runs_logit_is_the_models(family: Family) -> None:
    """What lenders see during the run is what the handed-out model gives, bit for bit."""
    run = conducted(family).run
    model = run.model()
    for rows in conducted(family).lenders:
        assert run.logit(rows).tobytes() == model.logit(rows.table).tobytes()
    assert model.about["family"] == family
    assert model.about["agreement"] == run.agreement.digest()
    assert digest_of(model) == digest_of(run.model())


@pytest.mark.parametrize(("family", "rounds"), [("boosted", 16), ("network", 10), ("blend", 8)])
def test_every_family_ranks_its_test_rows(family: Family, rounds: int) -> None:
    """AUC on rows no family has trained on is far from chance after a few rounds."""
    terms, book = replace(TERMS, family=family, rounds=rounds), make_book(1500, seed=5)
    ours = conduct(terms, spread(book, np.arange(book.rows) % 3, 3, terms))
    logit = np.concatenate([ours.run.logit(rows)[rows.roles.test] for rows in ours.lenders])
    bad = np.concatenate([rows.bad[rows.roles.test] for rows in ours.lenders])
    assert roc_auc_score(bad, logit) > 0.7


def validation_losses(ours: Conducted) -> list[float]:
    """Log loss of each mixture on all validation rows, from the two parts of the model."""
    family = ours.run.family
    assert isinstance(family, BlendFamily)
    table = BOOK.take(lender(BOOK, ours.run.agreement).roles.validation)
    trees, network = (p.logit(ours.run.model().transform, table) for p in family.parts())
    return [log_loss(table.bad, pd_of((1 - s) * trees + s * network)) for s in SHARES]


def test_the_blend_takes_the_mixture_of_least_validation_loss() -> None:
    """The released sums are the losses of the eleven mixtures, and the weights are the best's."""
    ours = conducted("blend")
    losses = validation_losses(ours)
    rows = ours.run.preparation.census.validation
    scale = 2.0 ** (MOST_BITS - 4)
    rounding = len(ours.lenders) * 0.5 / scale / rows
    np.testing.assert_allclose(ours.totals[-4] / scale / rows, losses, atol=1e-5 + rounding)
    trees, network = ours.run.model().parts
    assert network.weight == pytest.approx(SHARES[int(np.argmin(losses))])
    assert trees.weight + network.weight == pytest.approx(1.0)
    assert max(losses) - min(losses) > 1e-3


def test_the_blends_logit_is_the_weighted_sum_of_its_parts() -> None:
    """(1 - s) · trees + s · network, on any table of the schema."""
    model = conducted("blend").run.model()
    fresh = make_book(40, seed=9)
    trees, network = (part.logit(model.transform, fresh) for part in model.parts)
    share = model.parts[1].weight
    np.testing.assert_array_equal(model.logit(fresh), (1 - share) * trees + share * network)


@pytest.mark.parametrize(("chosen", "weight"), [(0, 0.0), (4, 0.4), (10, 1.0)])
def test_the_weight_follows_the_released_losses(chosen: int, weight: float) -> None:
    """Whichever mixture the sums favour is taken; among equals the one with least network."""
    ours = conducted("blend")
    run = type(ours.run)(ours.run.agreement)
    for total in ours.totals[:-4]:
        run.absorb(total)
    losses = np.full(len(SHARES), 900, dtype=np.int64)
    losses[chosen:] = 500
    run.absorb(losses)
    assert run.model().parts[1].weight == pytest.approx(weight)


def test_without_validation_rows_the_blend_is_the_trees_alone() -> None:
    """All mixtures then lose nothing, and a tie goes to the trees."""
    terms = replace(TERMS, family="blend", rounds=1, validation_share=0.0)
    model = conduct(terms, [lender(BOOK, terms)]).run.model()
    assert [part.weight for part in model.parts] == [1.0, 0.0]


def test_small_consortia_grow_smaller_trees() -> None:
    """The recipe changes at the documented number of rows; rounds alone can be overridden."""
    assert boosting_settings(SMALL_ROWS - 1, None).depth < boosting_settings(SMALL_ROWS, None).depth
    for rows in (SMALL_ROWS - 1, SMALL_ROWS):
        recipe = boosting_settings(rows, None)
        assert boosting_settings(rows, 3).rounds == 3
        assert boosting_settings(rows, 3).depth == recipe.depth
