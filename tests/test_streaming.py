"""Word by word is what the whole review is, for every cell, under masks and resets."""

import jax
import numpy as np
import pytest
from exported.made import VOCABULARY, model_of, params_of
from scripts import block

import rnnsent
from rnnsent import streaming
from rnnsent.cells import CELLS
from rnnsent.model import SentimentClassifier

ROWS, STEPS = 3, 7
IDS = np.random.default_rng(0).integers(1, 20, (ROWS, STEPS)).astype(np.int32)
IDS[0, :3] = IDS[1, 2:4] = IDS[2] = 0  # on the left, inside, a row of padding alone
CLOSE = {"rtol": 1e-6, "atol": 1e-6}


def streamed(model, params, ids_BT, **arrays):
    """Logits (B, T) and the last state."""
    stream, logits = streaming.start(model, params, len(ids_BT)), []
    for t in range(ids_BT.shape[1]):
        at = {name: a[:, t] for name, a in arrays.items()}
        stream, logits_B = streaming.step(model, params, stream, ids_BT[:, t], **at)
        logits.append(logits_B)
    return np.stack(logits, 1), stream


@pytest.mark.parametrize("cell", [*CELLS, "guests:CountingCell", "guests:MatrixCell"])
def test_every_step_says_what_the_trajectory_says(cell):
    model = model_of(cell)
    params = params_of(model)
    logits_BT, _ = streamed(model, params, IDS)
    np.testing.assert_allclose(logits_BT, rnnsent.trajectory(model, params, IDS), **CLOSE)


@pytest.fixture(scope="module")
def lstm():
    model = model_of("lstm")
    return model, params_of(model)


def test_a_masked_word_keeps_state_and_logit_to_the_bit(lstm):
    stream, before_B = streaming.step(*lstm, streaming.start(*lstm, ROWS), IDS[:, -1])
    masks = {"by its id": (np.zeros(ROWS, np.int32),), "told": (IDS[:, -1], np.zeros(ROWS, bool))}
    for arguments in masks.values():
        after, logits_B = streaming.step(*lstm, stream, *arguments)
        jax.tree.map(np.testing.assert_array_equal, after, stream)
        np.testing.assert_array_equal(logits_B, before_B)


def test_a_word_is_read_under_the_mask_that_is_told(lstm):
    """Id 0 too, as a model without padding has it."""
    model, params = lstm
    mask_BT = np.random.default_rng(1).random(IDS.shape) < 0.6
    logits_BT, _ = streamed(*lstm, IDS, mask_B=mask_BT)
    whole = jax.jit(
        lambda ids, mask: model.apply({"params": params}, ids, mask, method="trajectory")
    )
    np.testing.assert_allclose(logits_BT, whole(IDS, mask_BT), **CLOSE)


def test_a_reset_begins_a_new_review(lstm):
    resets_BT = np.zeros(IDS.shape, bool)
    resets_BT[:, 4] = True
    logits_BT, _ = streamed(*lstm, IDS, resets_B=resets_BT)
    alone_BT, _ = streamed(*lstm, IDS[:, 4:])
    np.testing.assert_allclose(logits_BT[:, 4:], alone_BT, **CLOSE)
    whole_BT, _ = streamed(*lstm, IDS)
    np.testing.assert_array_equal(logits_BT[:, :4], whole_BT[:, :4])
    assert np.abs(logits_BT[:, 4:] - whole_BT[:, 4:]).max() > 1e-3


def test_a_state_may_be_gone_on_from_twice(lstm):
    _, half = streamed(*lstm, IDS[:, :4])
    _, once = streaming.step(*lstm, half, IDS[:, 4])
    _, again = streaming.step(*lstm, half, IDS[:, 4])
    np.testing.assert_array_equal(once, again)


def test_words_of_a_text_are_compiled_once(lstm):
    ids = VOCABULARY.encode("a fine film, 29 times", 20)
    assert ids == [1, 4, 5, 6, 2]
    before = streaming.step._cache_size()
    first_1T, _ = streamed(*lstm, np.array([ids], np.int32))
    streamed(*lstm, np.array([ids[::-1]], np.int32))
    assert streaming.step._cache_size() == before + 1
    np.testing.assert_allclose(first_1T[:, -1], rnnsent.predict(*lstm, np.array([ids])), **CLOSE)


def test_the_readmes_example(lstm):
    model, params = lstm
    source = block("python", "stream = rnnsent.streaming")
    held = {"rnnsent": rnnsent, "np": np, "vocabulary": VOCABULARY}
    held |= {"model": model, "params": params}
    assert source.count("5000") == 1
    exec(source.replace("5000", "20"), held)
    ids_1T = np.array([[1, 4, 5, 6]], np.int32)
    np.testing.assert_allclose(held["logits_B"], rnnsent.predict(model, params, ids_1T), **CLOSE)


def test_what_does_not_fit_is_refused(lstm):
    stream = streaming.start(*lstm, ROWS)
    for ids, message in (
        (IDS, r"ids are int32\[3, 7\], expected int32\[rows\]"),
        (np.zeros(ROWS), "ids are float32"),
        (IDS[:2, 0], "not of 2 rows of this model"),
    ):
        with pytest.raises(ValueError, match=message):
            streaming.step(*lstm, stream, ids)
    with pytest.raises(ValueError, match="not of 3 rows of this model"):
        streaming.step(*lstm, stream[:1], IDS[:, 0])
    for marks in ((np.ones(ROWS, np.int32), None), (None, np.ones((ROWS, 2), bool))):
        with pytest.raises(ValueError, match=r"a mask or resets are .*, expected bool\[3\]"):
            streaming.step(*lstm, stream, IDS[:, 0], *marks)


class Pooled(SentimentClassifier):
    pooling: str = "mean"


class Both(SentimentClassifier):
    bidirectional: bool = True


@pytest.mark.parametrize("kind", [Pooled, Both])
def test_a_model_that_needs_the_whole_review_is_refused(kind):
    with pytest.raises(ValueError, match="word by word"):
        streaming.start(kind(), {}, 1)
