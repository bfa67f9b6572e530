import pytest
from compare.made import DIVERGENCE

from rnnsent.runs.divergences import advice


@pytest.mark.parametrize(
    "lost, told",
    [
        ([], "Try a lower --learning-rate."),
        ([({"clip": 0.0}, None)], "Try --clip 1 or a lower --learning-rate."),
        ([({"clip": 1.0}, None)], "Try a lower --learning-rate."),
        (
            [({"clip": 1.0, "recurrent_gain": 1.0}, DIVERGENCE), ({"clip": 0.0}, None)],
            "Try --clip 1, a lower --learning-rate or --recurrent-gain below 1.",
        ),
        ([({"clip": 1.0, "recurrent_gain": 0.9}, DIVERGENCE)], "Try a lower --learning-rate."),
    ],
)
def test_what_to_try_follows_from_the_recipe(lost, told):
    assert advice(lost) == told


def test_what_to_try_is_spelled_as_it_is_set():
    lost = [({"clip": 0.0, "recurrent_gain": 1.0}, DIVERGENCE)]
    told = "Try clip 1, a lower learning_rate or recurrent_gain below 1."
    assert advice(lost, spelled=str) == told
