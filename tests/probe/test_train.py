"""Trainings of a few steps, with cells of which it is known what they can."""

import jax
import numpy as np

from rnnsent.probe import entrants, train
from rnnsent.probe.entrants import Settings

SETTINGS = Settings((3,), 8, 40, every=4)


def trial(name, task="adding", length=8, settings=SETTINGS, **changes):
    recipe = entrants.recipes.changed(entrants._of_cell(name), changes)
    return entrants.Entrant(name, name, name, entrants.probed(recipe, settings)).trial(
        task, length, settings
    )


def test_the_recurrent_weights_start_as_the_recipe_has_them():
    (one,) = entrants.entrants(["sound-simple-rnn"], [], SETTINGS)
    states = train.create_states(one.trial("adding", 8, SETTINGS), (0, 1))
    kernel_SHH = np.asarray(states.params["layer_0"]["recurrent_kernel"])
    np.testing.assert_allclose(kernel_SHH[:2], np.stack([0.9 * np.eye(3)] * 2), rtol=1e-6)
    first, second = np.asarray(states.params["layer_0"]["kernel"])[:2]
    assert first.shape == (2, 3) and not np.array_equal(first, second)


def test_a_seed_is_trained_alike_alone_and_among_others():
    one = trial("simple_rnn", "recall")
    told = []
    both, ended = train.fit(one, train.create_states(one, (4, 7)), 2, 8, lambda *a: told.append(a))
    alone, other = train.fit(one, train.create_states(one, (7,)), 1, 8)
    np.testing.assert_allclose(ended.loss_S[1], other.loss_S[0], rtol=1e-5)
    kernels = [np.asarray(a.params["layer_0"]["recurrent_kernel"]) for a in (both, alone)]
    np.testing.assert_allclose(kernels[0][1], kernels[1][0], rtol=1e-4, atol=1e-6)
    assert ended.steps_S.tolist() == [8, 8] and not ended.solved_S.any()
    assert [(seeds, taken) for seeds, taken, _ in told] == [(2, 4), (2, 8)]


def test_a_seed_that_diverges_is_said_to_and_leaves_the_other_alone():
    one = trial("simple_rnn", "recall")
    states = train.create_states(one, (4, 7))
    nan = jax.tree.map(lambda a: a.at[0].set(np.nan), states.params)
    _, ended = train.fit(one, states.replace(params=nan), 2, 8)
    assert ended.diverged_S.tolist() == [True, False] and ended.steps_S.tolist() == [4, 8]
    assert not ended.solved_S.any() and np.isfinite(ended.score_S[1])


def test_who_can_solve_it_ends_early_and_alone():
    one = trial("probe_cells:AddingCell", settings=Settings((3,), 8, 400, 20), learning_rate=0.1)
    states = train.create_states(one, (0, 1, 2))
    _, ended = train.fit(one, states, 3, 400)
    assert ended.solved_S.all() and (ended.score_S >= one.of.solved).all()
    assert (ended.steps_S < 400).all() and (ended.steps_S % 20 == 0).all()
    assert not ended.diverged_S.any()


def test_of_a_gradient_that_halves_a_step_the_share_is_that():
    one = trial("probe_cells:HalvingCell", "recall", 9)
    share_S = train.reached(train.create_states(one, (0, 1)), trial=one)
    np.testing.assert_allclose(share_S, 0.5**8, rtol=1e-5)


def test_a_simple_rnns_share_is_that_of_finite_differences():
    one = trial("simple_rnn", "recall")
    states = train.create_states(one, (3, 4))
    state = jax.tree.map(lambda a: a[0], states)
    key = jax.random.fold_in(state.key, train.GRADIENTS)
    found = one.of.held_out(key, train.ROWS, 8)
    params = jax.tree.map(lambda a: np.asarray(a, np.float64), state.params)
    x_BTE, y_B = np.asarray(found.x_BTE, np.float64), np.asarray(found.y_BA)[:, -1]

    def answer(x_BTE):
        h_BH, layer = np.zeros((len(x_BTE), 3)), params["layer_0"]
        for x_BE in np.moveaxis(x_BTE, 1, 0):
            h_BH = np.tanh(
                x_BE @ layer["kernel"] + h_BH @ layer["recurrent_kernel"] + layer["bias"]
            )
        out_BC = h_BH @ params["readout"]["kernel"] + params["readout"]["bias"]
        return out_BC[np.arange(len(y_B)), y_B]

    def slope(step, e):
        nudge = np.zeros_like(x_BTE)
        nudge[:, step, e] = 1e-6
        return (answer(x_BTE + nudge) - answer(x_BTE - nudge)) / 2e-6

    norms = [
        np.median(np.sqrt(sum(slope(step, e) ** 2 for e in range(x_BTE.shape[-1]))))
        for step in (0, -1)
    ]
    share_S = train.reached(states, trial=one)
    np.testing.assert_allclose(share_S[0], norms[0] / norms[1], rtol=1e-3)
