"""The tasks against a plain loop over each row; their chance and criteria by simulation."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from sklearn.datasets import load_digits

from rnnsent.probe import tasks
from rnnsent.probe.tasks import TASKS, Examples

ROWS = 4_000


@functools.partial(jax.jit, static_argnums=(1, 2, 3, 4))
def _drawn(key, name, rows, length, held_out):
    return (TASKS[name].held_out if held_out else TASKS[name].draw)(key, rows, length)


def drawn(name, length=16, rows=ROWS, seed=0, held_out=False):
    found = _drawn(jax.random.key(seed), name, rows, length, held_out)
    return Examples(*map(np.asarray, found))


def answered(task, y_BA):
    """Outputs (B, A, C) that give these answers."""
    if not task.classes:
        return np.asarray(y_BA, np.float32)[..., None]
    return np.eye(task.classes, dtype=np.float32)[y_BA]


def solver(name, x_BTE):
    """The answers (B, A) of a hand-written program that reads step by step and keeps a state."""
    return np.array([SOLVERS[name](x_TE.tolist()) for x_TE in x_BTE])


def _adding(x_TE):
    total = 0.0
    for number, mark in x_TE:
        total += number if mark == 1 else 0.0
    return [total]


def _recall(x_TE):
    memory, said = [], []
    for step in x_TE:
        assert sum(step) == 1
        symbol = step.index(1)
        if symbol < 8:
            memory.append(symbol)
        if symbol == 9 or said:
            said.append(memory[len(said)])
    return said


def _parity(x_TE):
    odd, said = 0, []
    for (bit,) in x_TE:
        odd ^= int(bit)
        said.append(odd)
    return said


SOLVERS = {"adding": _adding, "recall": _recall, "parity": _parity}


@pytest.mark.parametrize("length", (8, 16, 33))
@pytest.mark.parametrize("name", SOLVERS)
def test_answers_are_those_of_a_plain_loop_and_solve_the_task(name, length):
    task, found = TASKS[name], drawn(name, length, rows=20)
    assert found.x_BTE.shape == (20, length, task.width(length))
    y_BA = solver(name, found.x_BTE)
    np.testing.assert_allclose(y_BA, found.y_BA, rtol=1e-6)
    score = task.scored(jnp.asarray(answered(task, y_BA)), found)
    assert score == pytest.approx(1, abs=1e-6) and score >= task.solved


@pytest.mark.parametrize("name", TASKS)
def test_the_best_constant_answer_is_at_chance_and_far_from_solved(name):
    task, found = TASKS[name], drawn(name, held_out=name == "digits")
    if task.classes:
        guesses = [np.full_like(found.y_BA, c) for c in range(task.classes)]
    else:
        guesses = [np.full_like(found.y_BA, found.y_BA.mean())]
    scores = [float(task.scored(jnp.asarray(answered(task, y_BA)), found)) for y_BA in guesses]
    assert max(scores) == pytest.approx(task.chance, abs=0.03)
    assert max(scores) < task.solved


def test_a_mean_squared_error_of_a_hundredth_solves_adding_and_more_does_not():
    task, found = TASKS["adding"], drawn("adding")
    sign_B1 = np.where(np.arange(ROWS) % 2, 1, -1)[:, None]
    for error, solves in ((0.0099, True), (0.0101, False)):
        out_BAC = answered(task, found.y_BA + sign_B1 * np.sqrt(error))
        assert (float(task.scored(jnp.asarray(out_BAC), found)) >= task.solved) is solves


def test_numbers_marks_and_bits_are_spread_as_said():
    number_BT, mark_BT = np.moveaxis(drawn("adding").x_BTE, -1, 0)
    assert number_BT.min() >= 0 and number_BT.max() < 1
    assert (mark_BT[:, :8].sum(1) == 1).all() and (mark_BT[:, 8:].sum(1) == 1).all()
    np.testing.assert_allclose(mark_BT.mean(0), 1 / 8, atol=0.03)
    np.testing.assert_allclose(drawn("adding").y_BA.var(), TASKS["adding"].variance, atol=0.01)
    np.testing.assert_allclose(drawn("parity").x_BTE.mean(0), 0.5, atol=0.04)
    counts = np.bincount(drawn("recall").y_BA.ravel(), minlength=8)
    np.testing.assert_allclose(counts / counts.sum(), 1 / 8, atol=0.02)


def test_of_parity_the_last_answer_counts_alone():
    task, found = TASKS["parity"], drawn("parity", rows=20)
    wrong_BA = found.y_BA ^ (np.arange(16) < 15)
    assert task.scored(jnp.asarray(answered(task, wrong_BA)), found) == 1
    assert task.scored(jnp.asarray(answered(task, found.y_BA ^ (np.arange(16) == 15))), found) == 0


@pytest.mark.parametrize("length", (8, 16, 64, 128))
def test_digits_are_the_images_pixel_by_pixel_and_none_held_out_is_trained_on(length):
    images = load_digits().images
    held = drawn("digits", length, held_out=True)
    assert len(held.x_BTE) == tasks.HELD_OUT
    flat_BP = held.x_BTE.reshape(tasks.HELD_OUT, -1)
    np.testing.assert_array_equal(flat_BP[:, :64] * 16, images[-360:].reshape(360, 64))
    assert (flat_BP[:, 64:] == 0).all()
    np.testing.assert_array_equal(held.y_BA[:, 0], load_digits().target[-360:])
    trained = {image.tobytes() for image in drawn("digits", length).x_BTE}
    own = {image.tobytes() for image in held.x_BTE}
    assert len(trained) > 1_000 and not trained & own


def test_a_key_decides_all_and_another_changes_it():
    for name in TASKS:
        first, same, other = (drawn(name, rows=8, seed=seed) for seed in (1, 1, 2))
        assert all(map(np.array_equal, first, same))
        assert not np.array_equal(first.x_BTE, other.x_BTE)


def test_no_number_is_no_answer():
    task, found = TASKS["recall"], drawn("recall", rows=4)
    out_BAC = answered(task, found.y_BA)
    out_BAC[0, 0, 0] = np.nan
    assert np.isnan(task.scored(jnp.asarray(out_BAC), found))


def test_losses_are_those_of_the_definition():
    task, found = TASKS["recall"], drawn("recall", rows=4)
    uniform = task.loss(jnp.zeros((4, 4, 8)), found)
    assert uniform == pytest.approx(np.log(8), rel=1e-6)
    task, found = TASKS["adding"], drawn("adding", rows=4)
    assert task.loss(jnp.zeros((4, 1, 1)), found) == pytest.approx((found.y_BA**2).mean(), rel=1e-5)
