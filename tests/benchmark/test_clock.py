import jax
import jax.numpy as jnp
import numpy as np
import pytest

from rnnsent.benchmark import clock


def test_samples_are_taken_in_turns_and_every_other_round_backwards():
    order = []
    subjects = {name: lambda name=name: order.append(name) or len(order) for name in "abc"}
    advanced = []
    samples = clock.interleave(subjects, 3, lambda: advanced.append(1))
    assert "".join(order) == "abccbaabc"
    assert samples == {"a": [1, 6, 7], "b": [2, 5, 8], "c": [3, 4, 9]}
    assert len(advanced) == 9


def test_a_sample_ends_when_its_results_exist():
    results = []
    work = jax.jit(lambda x: jax.lax.fori_loop(0, 200, lambda _, x: jnp.tanh(x @ x), x))

    def run():
        results.append(work(jnp.eye(128)))
        return results

    assert clock.seconds(run) > 0
    assert results[0].is_ready()


def test_compiling_is_timed_and_the_result_runs():
    double, seconds = clock.compile(jax.jit(lambda x, *, by: x * by), jnp.ones(3), by=2.0)
    assert seconds > 0
    np.testing.assert_array_equal(double(jnp.ones(3), by=2.0), 2 * np.ones(3))


def test_a_sample_repeats_what_is_short_and_never_less_than_once():
    assert clock.repeats(0.1, 0.4) == 4
    assert clock.repeats(3.0, 0.4) == 1
    assert clock.repeats(0.0, 0.4) == 1000


def test_summary():
    assert clock.summarise([3.0, 1.0, 2.0, 9.0]) == (2.5, 1.0, 9.0, 4)


def test_a_ratio_of_medians_keeps_rounds_together():
    base = np.array([1.0, 2.0, 1.5, 1.0, 3.0, 1.2])
    assert clock.ratio(2 * base, base) == (2.0, 2.0, 2.0)
    apart = clock.ratio(2 * base[::-1], base)
    assert apart.value == 2.0 and apart.low < 1.9 and apart.high > 2.1
    assert clock.ratio(2 * base[::-1], base) == apart
    single = clock.ratio([3.0], [2.0])
    assert single.value == 1.5 and np.isnan(single.low) and np.isnan(single.high)


def test_the_interval_of_a_ratio_covers_it_about_as_often_as_it_says():
    rng = np.random.default_rng(0)
    found = [clock.ratio(*np.exp(0.2 * rng.normal(size=(2, 10)))) for _ in range(200)]
    covered = np.mean([ratio.low <= 1 <= ratio.high for ratio in found])
    assert 0.9 <= covered < 1  # 0.95, and the noise of 200 draws


def test_peak_memory_counts_what_was_freed_until_it_is_reset():
    if clock.peak_resident_bytes() is None:
        pytest.skip("this system does not tell a process's peak memory")
    clock.reset_peak()
    before = clock.peak_resident_bytes()
    np.ones(1 << 24)  # 128 MiB, freed at once
    assert clock.peak_resident_bytes() - before > 1 << 26
