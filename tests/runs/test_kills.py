"""Trainings whose process is killed, truly; ``python -m tests.kills`` does more of it."""

import kills
import pytest

pytestmark = pytest.mark.slow


def test_what_is_killed_at_random_moments_comes_to_the_same(tmp_path):
    lines = list(kills.random_moments(kills.Lab(tmp_path, kills.train), 3, seed=0))
    assert sum(line.count("after") for line in lines) == 3
