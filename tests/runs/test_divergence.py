"""What a run folder says of a training that diverged."""

import math

import jax
import jax.numpy as jnp
import msgspec
import pytest

from rnnsent import runs, training
from rnnsent.errors import UserError
from rnnsent.runs.courses import Course

LOST = {"learning_rate": 1e30, "schedule": "cosine"}


@pytest.fixture
def lost(recipe):
    return msgspec.structs.replace(recipe, name="lost", **LOST)


def test_the_step_its_reviews_and_its_rate_are_kept(tmp_path, toy, lost):
    (trained,) = runs.train(tmp_path, lost, [3], toy, debug_nans=True)
    assert trained.diverged == 1 and "in epoch 1, step 2 of " in trained.told
    found = trained.divergence
    assert found.names == tuple(toy.train.names[row] for row in found.rows)
    assert len(found.rows) == lost.batch_size
    assert found.steps == 2  # so of four steps, half a cosine, it is the second
    assert found.learning_rate == pytest.approx(1e30 * (1 + math.cos(math.pi / 4)) / 2, rel=1e-5)
    assert "nan" in found.first_nan and found.first_nan in trained.told
    assert runs.advice([trained]).startswith("Try --clip 1")
    path = trained.folder / "divergence.json"
    path.write_text(path.read_text().replace('"epoch": 1', '"epoch": 0'))
    with pytest.raises(UserError, match="divergence.json"):
        runs.load(trained.folder)
    path.unlink()  # as an earlier version left it
    assert runs.load(trained.folder).told == "lost seed 3 diverged in epoch 1"


def test_of_seeds_that_train_together_each_has_its_own(tmp_path, toy, lost, monkeypatch):
    monkeypatch.setattr(runs.trainings, "seeds_together", lambda seeds: seeds)
    found = [one.divergence for one in runs.train(tmp_path, lost, [3, 5], toy)]
    assert [one.step for one in found] == [2, 2] and found[0].rows != found[1].rows


def test_what_began_with_lost_parameters_is_looked_for_in_the_epoch_before(tmp_path, toy, recipe):
    model = recipe.classifier(toy.encoding.num_words)
    state = training.create_state(model, recipe.optimizer(len(toy.train)), 0)
    bad = state.replace(params=jax.tree.map(lambda a: a * jnp.nan, state.params))
    course, asked = Course(tmp_path, None, state), []
    for step, one in enumerate((bad, state, bad)):
        course.starting(one, step)
    course.explain(lambda *start: asked.append(start))
    assert not asked  # it has not diverged
    course.diverged = 2
    course.explain(lambda *start: asked.append(start))
    course.explain(lambda *start: asked.append(start))
    assert [step for _, step in asked] == [1] and not list(tmp_path.iterdir())
