"""Norms, skips, both ways and bfloat16 against a float64 loop, Keras, and one another."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import reference
from flax import linen as nn
from guests import MatrixCell
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from rnnsent.cells import GRUCell, MinGRUCell
from rnnsent.deep import Bidirectional, Deep
from rnnsent.layers import Recurrent
from rnnsent.model import SentimentClassifier, init
from rnnsent.recipes import SHIPPED

B, T, VOCAB = 4, 7, 20
KEY = jax.random.key(0)
SKIP_AND_NORM = {"residual": True, "layer_norm": True}
COMBINED = {
    "both-ways": {"bidirectional": True},
    "both-ways-mean": {"bidirectional": True, "pooling": "mean", **SKIP_AND_NORM},
    "both-ways-last": {"bidirectional": True, **SKIP_AND_NORM},
    "skips": {"residual": True},
    "norms": {"layer_norm": True, "pooling": "mean"},
    "skips-norms-max": {"pooling": "max", **SKIP_AND_NORM},
}
by_options = pytest.mark.parametrize("options", COMBINED.values(), ids=COMBINED)


def small(cell: str = "gru", **options) -> SentimentClassifier:
    sizes = {"features": (4, 4), "embedding_size": 3, "head": 3, "vocab_size": VOCAB}
    return SentimentClassifier(cell, **sizes | {"implementation": "scan"} | options)


@functools.cache
def initialised(model):
    """Random parameters, none of them zero or one."""
    leaves, treedef = jax.tree.flatten(init(model, KEY))
    keys = jax.random.split(jax.random.key(1), len(leaves))
    noise = [0.3 * jax.random.normal(k, a.shape) for k, a in zip(keys, leaves, strict=True)]
    return jax.tree.map(np.asarray, treedef.unflatten(map(jnp.add, leaves, noise)))


@functools.cache
def logits(model):
    return jax.jit(lambda params, ids, mask: model.apply({"params": params}, ids, mask))


def normed(x, norm):
    mean, var = x.mean(-1, keepdims=True), x.var(-1, keepdims=True)
    return (x - mean) / np.sqrt(var + 1e-6) * norm["scale"] + norm["bias"]


def expected_outputs(model, params, x_BTE, mask_BT):
    """The top layer's outputs at real steps, by the float64 loop; backward, of reversed rows."""
    for i in range(len(model.features)):
        below = x_BTE
        x_BTE = normed(x_BTE, params[f"norm_{i}"]) if model.layer_norm else x_BTE
        y_BTH, _ = reference.layer(model.cell, params[f"layer_{i}"], x_BTE, mask_BT)
        if model.bidirectional:
            own = params[f"layer_backward_{i}"]
            back, _ = reference.layer(model.cell, own, x_BTE[:, ::-1], mask_BT[:, ::-1])
            y_BTH = np.concatenate([y_BTH, back[:, ::-1]], axis=-1)
        x_BTE = y_BTH + below if model.residual and i else y_BTH
    return x_BTE


def expected_logits(model, params, ids_BT, mask_BT):
    params = jax.tree.map(lambda a: np.asarray(a, np.float64), params)
    y_BTH = expected_outputs(model, params, params["embedding"]["embedding"][ids_BT], mask_BT)
    half, pooled_BH = y_BTH.shape[-1] // 2, np.zeros((B, y_BTH.shape[-1]))
    for b, real_T in enumerate(mask_BT):
        if not real_T.any():
            continue
        y_TH = y_BTH[b, real_T]
        if model.pooling == "last" and model.bidirectional:
            pooled_BH[b] = np.concatenate([y_TH[-1, :half], y_TH[0, half:]])
        else:
            pooled_BH[b] = {"last": y_TH[-1], "mean": y_TH.mean(0), "max": y_TH.max(0)}[
                model.pooling
            ]
    hidden, logit = params["hidden"], params["logit"]
    r = np.maximum(pooled_BH @ hidden["kernel"] + hidden["bias"], 0)
    return (r @ logit["kernel"] + logit["bias"])[:, 0]


@by_options
@settings(max_examples=15)
@given(mask_BT=arrays.arrays(bool, (B, T)), seed=st.integers(0, 99))
def test_logits_are_the_float64_loops_under_any_mask(options, mask_BT, seed):
    model = small("gru" if "residual" in options else "lstm", **options)
    params = initialised(model)
    ids_BT = np.random.default_rng(seed).integers(0, VOCAB, (B, T))
    found_B = logits(model)(params, ids_BT, mask_BT)
    expected_B = expected_logits(model, params, ids_BT, mask_BT)
    np.testing.assert_allclose(found_B, expected_B, atol=2e-5, rtol=1e-5)


@pytest.mark.parametrize(
    ("implementation", "name"),
    [
        ("packed", "both-ways-mean"),
        ("packed", "skips-norms-max"),
        ("associative", "both-ways-last"),
    ],
)
def test_gradients_are_the_same_by_every_implementation(implementation, name):
    model = small("min_gru", **COMBINED[name], implementation=implementation)
    params, x_BTE = initialised(model), jax.random.normal(KEY, (B, T, 3))
    for kind in ("interior", "empty"):
        given = params, x_BTE, reference.mask_of(kind, B, T)
        expected = gradient_of(model.clone(implementation="scan-stored"))(*given)  # plain autodiff
        found = gradient_of(model)(*given)
        assert all(np.isfinite(a).all() for a in jax.tree.leaves(expected))
        jax.tree.map(functools.partial(np.testing.assert_allclose, atol=2e-5), found, expected)


@functools.cache
def gradient_of(model):
    def total(params, x_BTE, mask_BT):
        logits_B = model.apply({"params": params}, x_BTE, mask_BT, method="read")
        return (logits_B**2).sum()

    return jax.jit(jax.grad(total, argnums=(0, 1)))


@pytest.mark.parametrize("name", ["both-ways-mean", "skips-norms-max"])
def test_what_stands_in_padding_reaches_nothing(name):
    model = small("min_gru", **COMBINED[name], implementation="scan-stored")
    params, mask_BT = initialised(model), reference.mask_of("interior", B, T)
    x_BTE = np.array(jax.random.normal(KEY, (B, T, 3)))
    clean = gradient_of(model)(params, x_BTE, mask_BT)
    dirty_BTE = np.where(mask_BT[..., None], x_BTE, np.nan)
    found = gradient_of(model)(params, dirty_BTE, mask_BT)
    jax.tree.map(np.testing.assert_array_equal, found, clean)


@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")
def test_both_ways_is_keras_bidirectional(keras):
    model = small("simple_rnn", bidirectional=True, features=(5, 3))
    params, layer = initialised(model), keras.layers.SimpleRNN
    theirs = keras.Sequential(
        [
            keras.layers.Embedding(VOCAB, 3, mask_zero=True),
            keras.layers.Bidirectional(layer(5, return_sequences=True)),
            keras.layers.Bidirectional(layer(3)),  # its final outputs, not those at the last step
            keras.layers.Dense(3, activation="relu"),
            keras.layers.Dense(1),
        ]
    )
    theirs.build((None, T))
    parts = ["embedding", *(f"layer_{d}{i}" for i in (0, 1) for d in ("", "backward_"))]
    leaves = [params[p] for p in (*parts, "hidden", "logit")]
    names = ("embedding", "kernel", "recurrent_kernel", "bias")
    theirs.set_weights([leaf[name] for leaf in leaves for name in names if name in leaf])
    run = jax.jit(lambda ids_BT: theirs(ids_BT, training=False))
    for padding in ("left", "right", "interior"):
        mask_BT = reference.mask_of(padding, B, T)
        ids_BT = np.where(mask_BT, np.random.default_rng(0).integers(1, VOCAB, (B, T)), 0)
        found_B = logits(model)(params, ids_BT, ids_BT != 0)
        np.testing.assert_allclose(found_B, run(ids_BT)[:, 0], atol=2e-6, rtol=1e-5)


def test_both_ways_is_torchs_bidirectional():
    torch = pytest.importorskip("torch")
    model = small("lstm", bidirectional=True, features=(4,))
    params = initialised(model)
    theirs = torch.nn.LSTM(3, 4, batch_first=True, bidirectional=True)
    with torch.no_grad():
        for name, suffix in (("layer_0", ""), ("layer_backward_0", "_reverse")):
            own = {n: torch.tensor(np.array(a)) for n, a in params[name].items()}
            getattr(theirs, f"weight_ih_l0{suffix}").copy_(own["kernel"].T)
            getattr(theirs, f"weight_hh_l0{suffix}").copy_(own["recurrent_kernel"].T)
            getattr(theirs, f"bias_ih_l0{suffix}").copy_(own["bias"])
            getattr(theirs, f"bias_hh_l0{suffix}").zero_()
        x_BTE, length_B = np.array(jax.random.normal(KEY, (B, T, 3))), [7, 1, 4, 6]
        rows = torch.nn.utils.rnn.pack_padded_sequence(
            torch.tensor(x_BTE), length_B, batch_first=True, enforce_sorted=False
        )
        _, (h_DBH, _) = theirs(rows)

    @jax.jit
    def run(params, x_BTE, length_B):
        bound = model.bind({"params": params})
        return bound.recurrent(x_BTE, length_B, sequences=False)

    carry, _ = run(params, x_BTE, jnp.asarray(length_B, jnp.int32))
    np.testing.assert_allclose(carry[0], np.concatenate(list(h_DBH.numpy()), -1), atol=1e-6)


def test_any_cell_can_be_a_block():
    """Ours with an output of its own, Flax's, and an affine one, in one stack; and it streams."""
    cells = [MatrixCell(4), nn.LSTMCell(4), MinGRUCell(4)]
    model = Deep(cells, norms=[nn.LayerNorm() for _ in cells], skip_from=0, compute="bfloat16")
    x_BTE, mask_BT = jax.random.normal(KEY, (B, T, 4)), reference.mask_of("interior", B, T)
    variables = jax.jit(model.init)(KEY, x_BTE)
    run = jax.jit(model.apply)
    final, y_BTH = run(variables, x_BTE, mask_BT)
    half = np.arange(T) < T // 2
    carry, first_BTH = run(variables, x_BTE, mask_BT & half)
    carry, second_BTH = run(variables, x_BTE, mask_BT & ~half, carry=carry)
    jax.tree.map(functools.partial(np.testing.assert_allclose, atol=1e-6), carry, final)
    found_BTH = np.where(half[:, None], first_BTH, second_BTH)
    np.testing.assert_allclose(found_BTH, y_BTH, atol=1e-6)


def test_a_deep_model_of_no_options_is_the_plain_one():
    x_BTE = jax.random.normal(KEY, (B, T, 4))
    plain, deep = Recurrent([GRUCell(4)]), Deep([GRUCell(4)])
    variables = plain.init(KEY, x_BTE)
    texts = {jax.jit(one.apply).lower(variables, x_BTE).as_text() for one in (plain, deep)}
    assert len(texts) == 1


def test_directions_drop_units_of_their_own_and_rows_keep_theirs():
    model = small(bidirectional=True, dropout=0.5, recurrent_dropout=0.5)
    params, ids_BT = initialised(small(bidirectional=True)), np.full((B, T), 3)

    @jax.jit
    def run(rows_B):
        rngs = {"dropout": jax.random.key(5)}
        return model.apply({"params": params}, ids_BT, train=True, rows_B=rows_B, rngs=rngs)

    whole_B, moved_B = run(jnp.arange(B)), run(jnp.arange(B)[::-1])
    assert len(set(np.asarray(whole_B).tolist())) == B
    np.testing.assert_allclose(moved_B, whole_B[::-1], rtol=1e-5)


@pytest.mark.parametrize("option", ["nudges", "carry", "resets_BT"])
def test_what_speaks_of_one_carry_is_refused_both_ways(option):
    recurrent = Bidirectional([Recurrent([GRUCell(2)])], [Recurrent([GRUCell(2)], reverse=True)])
    with pytest.raises(ValueError, match=f"read both ways take no {option}"):
        recurrent.init(KEY, jnp.zeros((B, T, 3)), **{option: jnp.zeros((B, T))})


def test_a_skip_over_other_widths_is_refused():
    with pytest.raises(ValueError, match="adds 3 inputs to 1 x 4 outputs"):
        Deep([GRUCell(4)], skip_from=0).init(KEY, jnp.zeros((B, T, 3)))
    with pytest.raises(ValueError, match=r"equal widths, and features are \(4, 2\)"):
        small(features=(4, 2), residual=True)
    with pytest.raises(ValueError, match=r"two layers or more .* features are \(4,\)"):
        small(features=(4,), residual=True)


@pytest.mark.parametrize("recipe", ["sound-simple-rnn", "sound-lstm"])
def test_bfloat16_stays_near_float32(recipe):
    """Within what the documentation of ``compute`` states, at the notebook's length."""
    model = SHIPPED[recipe].classifier(200).clone(implementation="scan")
    params, ids_BT = init(model, KEY), np.random.default_rng(0).integers(1, 200, (8, 132))

    def run(model):
        def loss(params):
            logits_B = model.apply({"params": params}, ids_BT)
            return jnp.logaddexp(0, -logits_B).sum(), logits_B

        grads, logits_B = jax.jit(jax.grad(loss, has_aux=True))(params)
        assert {a.dtype for a in jax.tree.leaves((grads, logits_B))} == {jnp.dtype("float32")}
        return logits_B, grads

    (exact_B, exact), (found_B, found) = run(model), run(model.clone(compute="bfloat16"))
    assert 0 < abs(found_B - exact_B).max() < 0.03
    for a, b in zip(jax.tree.leaves(exact), jax.tree.leaves(found), strict=True):
        assert jnp.linalg.norm(b - a) < 0.1 * jnp.linalg.norm(a)
