import dataclasses

import numpy as np
import pytest

from rnnsent.epochs import Keeping, Position, Totals, mean, run_epochs

STEPS = 9


def totals(loss, correct=1.0, weight=2.0):
    return Totals(np.array(loss), np.array(correct), np.array(weight))


def test_totals_are_divided_once_and_steps_go_a_few_at_a_time():
    dispatched, seen = [], []

    def advance(states, taken, start, stop):
        dispatched.append((taken, start, stop))
        return states + stop - start, totals([start + 1.0, 3.0], [1.0, 2.0], [4.0, 4.0])

    state, history = run_epochs(
        lambda states, epoch: f"order {epoch}",
        advance,
        0,
        range(2, 4),
        STEPS,
        seen.append,
    )
    assert [seeds for seeds in seen if seeds[0].ended] == [seen[1], seen[3]] == history
    assert state == 2 * STEPS
    assert dispatched == [(f"order {e}", *part) for e in (2, 3) for part in ((0, 7), (7, 9))]
    for epoch, (first, second) in zip((3, 4), history, strict=True):
        assert (first.epoch, first.epochs, first.step, first.steps) == (epoch, 4, STEPS, STEPS)
        assert first.loss == (1 + 8) / 8 and second.loss == 6 / 8
        assert (first.accuracy, second.accuracy) == (2 / 8, 4 / 8) and first.rows == 8
    assert [now.step for now, _ in seen] == [7, 9, 7, 9]
    together = mean(seen[1])
    assert together.loss == (1 + 8 + 6) / 16 and together.rows == 16
    assert 0 <= seen[0][0].seconds <= seen[1][0].seconds


LOSSES = {1: (1.0, np.nan), 2: (1.0, np.nan), 3: (np.inf, np.nan), 4: (1.0, 1.0)}


def test_seeds_go_on_while_the_loss_of_one_is_finite():
    def advance(epoch, taken, start, stop):
        return epoch + 1, totals(LOSSES[epoch + 1], np.ones(2), np.ones(2))

    state, history = run_epochs(lambda *_: None, advance, 0, range(4), 1)
    assert state == 3 and len(history) == 3


@pytest.mark.parametrize("epochs", [range(0), range(5, 5)])
def test_no_epochs_are_no_history(epochs):
    assert run_epochs(None, None, "states", epochs, 1) == ("states", [])


def test_progress_is_plain_data():
    _, ((now,),) = run_epochs(lambda *_: None, lambda s, *_: (s, totals(1.0)), 0, range(1), 1)
    assert all(type(value) in (int, float) for value in dataclasses.asdict(now).values())


def test_what_is_kept_between_dispatches_is_enough_to_go_on():
    """From each position the rest is the same, on the same dispatches."""
    kept, seen = [], []

    def advance(states, taken, start, stop):
        seen.append((taken, start, stop))
        return states + [(start, stop)], totals([0.1 * stop, np.pi], [1.0, 2.0], [4.0, 4.0])

    def run(states, epochs, start, due):
        keeping = Keeping(due, lambda states, at: kept.append((states, at)), start)
        return run_epochs(lambda _, e: e, advance, states, epochs, STEPS, None, keeping)

    whole, history = run([], range(2), Position(), lambda step, ended: True)
    places = [(at.epoch, at.step, len(at.sums)) for _, at in kept]
    assert places == [(0, 7, 3), (1, 0, 0), (1, 7, 3), (2, 0, 0)]
    for states, at in kept[:-1]:
        rest, now = run(states, range(at.epoch, 2), at, lambda step, ended: False)
        assert rest == whole and now[0][0].seconds >= at.seconds
        for a, b in zip(now, history[at.epoch :], strict=True):
            assert [without_time(one) for one in a] == [without_time(one) for one in b]


def without_time(now):
    return dataclasses.replace(now, seconds=0.0)


def test_whether_to_keep_is_asked_of_every_dispatch_and_saving_may_end_the_run():
    asked = []

    def due(step, ended):
        asked.append((step, ended))
        return len(asked) == 3

    def save(states, at):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run_epochs(
            lambda *_: None,
            lambda s, *_: (s, totals(1.0)),
            0,
            range(3),
            STEPS,
            keeping=Keeping(due, save),
        )
    assert asked == [(7, False), (STEPS, True), (7, False)]
