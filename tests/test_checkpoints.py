import subprocess
import sys

import jax
import numpy as np
import pytest

from rnnsent import checkpoints, optimizers
from rnnsent.errors import UserError
from rnnsent.model import SentimentClassifier
from rnnsent.training import create_state

MODEL = SentimentClassifier(
    cell="simple_rnn", features=(8,), head=4, vocab_size=60, embedding_size=4
)
ADAM = optimizers.adam(averaging=0.9)


@pytest.fixture
def saved(tmp_path):
    state = create_state(MODEL, ADAM, 7)
    checkpoints.save(tmp_path / "state", state)
    return tmp_path / "state", state


def test_a_state_comes_back_whole(saved):
    folder, state = saved
    back = checkpoints.restore(folder, MODEL, ADAM)
    for a, b in zip(jax.tree.leaves(state), jax.tree.leaves(back), strict=True):
        if jax.dtypes.issubdtype(a.dtype, jax.dtypes.prng_key):
            a, b = jax.random.key_data(a), jax.random.key_data(b)
        np.testing.assert_array_equal(a, b)


def test_what_a_killed_process_left_of_one_goes_without_a_warning(tmp_path, caplog):
    (tmp_path / "state.orbax-checkpoint-tmp/d").mkdir(parents=True)
    checkpoints.save(tmp_path / "state", create_state(MODEL, ADAM, 7))
    assert not caplog.records
    assert {path.name for path in tmp_path.iterdir()} == {"state", "state.json"}


def test_a_missing_checkpoint_is_a_user_error(tmp_path):
    with pytest.raises(UserError, match="No readable checkpoint"):
        checkpoints.restore(tmp_path, MODEL, ADAM)


@pytest.mark.parametrize("damage", ["other model", "zeros"])
def test_damage_that_orbax_finds_is_a_user_error_too(saved, damage):
    """In a process of its own: Orbax leaves reads behind that end in whatever runs next."""
    folder, _ = saved
    width = 9 if damage == "other model" else 8
    if damage == "zeros":
        for path in folder.rglob("d/*"):
            path.write_bytes(bytes(path.stat().st_size))
    script = f"""
import pathlib
from rnnsent import checkpoints, errors, optimizers
from rnnsent.model import SentimentClassifier
model = SentimentClassifier(
    cell="simple_rnn", features=({width},), head=4, vocab_size=60, embedding_size=4
)
try:
    checkpoints.restore(pathlib.Path({str(folder)!r}), model, optimizers.adam(averaging=0.9))
except errors.UserError as error:
    print(error)
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert done.stdout.startswith(f"No readable checkpoint in {folder}"), done.stderr
    assert len(done.stdout) < 600 and not done.stderr
