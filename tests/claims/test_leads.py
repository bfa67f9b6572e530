import pytest
from claims_world import AS_MEASURED, results

from rnnsent.claims import leads


def test_the_gap_splits_into_cell_and_recipe():
    found = results(AS_MEASURED)
    once, twice = leads.by_recurrent_dropout(found)[0], leads.by_trainings(found)[0]
    assert (once.gap, once.cell, once.recipe) == pytest.approx((32, 17.5, 14.5))
    assert (twice.gap, twice.cell, twice.recipe) == pytest.approx((7, 3, 4))
