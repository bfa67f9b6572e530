import pytest

from rnnsent.claims.criterion import Criterion, verdict


@pytest.mark.parametrize(
    "holds, expected",
    [
        ((True, True), "supported"),
        ((False, False), "not supported"),
        ((True, False), "mixed"),
        ((True, None), "supported"),
        ((None, False), "not supported"),
        ((None, True, False), "mixed"),
        ((None, None), "not tested"),
        ((True, None, None), "not tested"),
    ],
)
def test_a_verdict_follows_its_rule(holds, expected):
    assert verdict([Criterion("it is so", "it was", h) for h in holds]) == expected


def test_no_criterion_no_verdict():
    with pytest.raises(ValueError, match="at least one"):
        verdict([])
