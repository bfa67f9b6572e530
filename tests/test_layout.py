import jax
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rnnsent.layout import Rows, default_micro_batch, epoch_order, plan
from rnnsent.model import SentimentClassifier

COUNTS = st.integers(1, 300)


@given(COUNTS, st.integers(1, 9), st.one_of(st.none(), COUNTS))
def test_a_plan_holds_the_batch_with_the_fewest_rows_that_only_fill(batch, devices, micro_batch):
    layout = plan(batch, devices, micro_batch)
    assert layout.batch_size == batch and layout.devices == devices
    assert layout.rows == devices * layout.parts * layout.micro_batch >= batch
    share = -(-batch // devices)
    assert layout.micro_batch <= (micro_batch or share)
    assert layout.parts == -(-share // (micro_batch or share))  # no more than are needed
    assert layout.rows - batch < devices * layout.parts


@settings(max_examples=20, deadline=None)
@given(st.sampled_from([(1, 1, 1), (100, 32, 2), (96, 32, 3), (7, 50, 1)]), st.integers(0, 3))
def test_every_epoch_has_every_row_once(sizes, epoch):
    rows, batch_size, devices = sizes
    layout = plan(batch_size, devices, 10)
    order = np.asarray(epoch_order(jax.random.key(0), epoch, rows, layout))
    assert order.dtype == np.int32
    assert order.shape == (-(-rows // batch_size), layout.rows)
    assert sorted(order[order >= 0]) == list(range(rows))
    assert (order[:, batch_size:] == -1).all()
    taken = (order >= 0).sum(1)  # full batches, and what is left in the last one
    assert (taken[:-1] == batch_size).all() and 0 < taken[-1] <= batch_size


def test_an_epochs_order_is_a_new_permutation():
    layout = plan(32, 2, 10)
    first, second, again = (
        np.asarray(epoch_order(jax.random.key(0), epoch, 100, layout)) for epoch in (0, 1, 0)
    )
    assert (first != second).any() and (first == again).all()
    assert (np.asarray(epoch_order(jax.random.key(1), 0, 100, layout)) != first).any()


def test_rows_have_their_real_ids_first():
    ids_NT = np.array([[0, 5, 0, 6], [0, 0, 0, 0], [7, 8, 9, 1]], np.int32)
    rows = Rows.of(ids_NT, np.array([1, 0, 1]))
    assert rows.ids_NT.tolist() == [[5, 6, 0, 0], [0, 0, 0, 0], [7, 8, 9, 1]]
    assert rows.length_N.tolist() == [2, 0, 4] and rows.length_N.dtype == np.int32
    assert rows.label_N.tolist() == [1, 0, 1]


@pytest.mark.parametrize(
    ("cell", "features", "rows"),
    [
        ("lstm", (128, 64), 128),  # 512 pre-activations
        ("simple_rnn", (128, 64), 512),
        ("lstm", (512, 512), 128),  # never fewer
        ("guests:ConstantCell", (8,), 1 << 16),  # no parameters
    ],
)
def test_a_core_works_from_its_cache(cell, features, rows):
    assert default_micro_batch(SentimentClassifier(cell, features=features)) == rows


def test_an_accelerator_takes_the_whole_batch(monkeypatch):
    monkeypatch.setattr(jax, "default_backend", lambda: "gpu")
    assert default_micro_batch(SentimentClassifier()) is None
    assert plan(512, 1, None).micro_batch == 512
