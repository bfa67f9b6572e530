"""The final state of a training on disk, with Orbax."""

import pathlib
import textwrap

import jax
import optax
import orbax.checkpoint as ocp

from rnnsent.errors import UserError
from rnnsent.model import SentimentClassifier
from rnnsent.training import TrainState, create_state


def save(folder: pathlib.Path, state: TrainState) -> None:
    """Writes a state; what was in the folder is replaced."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    with ocp.StandardCheckpointer() as checkpointer:
        checkpointer.save(folder.absolute(), _storable(state), force=True)


def restore(
    folder: pathlib.Path, model: SentimentClassifier, optimizer: optax.GradientTransformation
) -> TrainState:
    """What :func:`save` wrote, on the default device.

    Args:
      folder: where.
      model: the one trained.
      optimizer: the one trained with, or one whose state has the same structure.

    Raises:
      UserError: if there is no checkpoint, it cannot be read, or it is of another model.
    """
    try:
        like = jax.eval_shape(lambda: _storable(create_state(model, optimizer, 0)))
        here = jax.sharding.SingleDeviceSharding(jax.local_devices()[0])
        like = jax.tree.map(lambda a: jax.ShapeDtypeStruct(a.shape, a.dtype, sharding=here), like)
        with ocp.StandardCheckpointer() as checkpointer:
            state = checkpointer.restore(folder.absolute(), like)
    except (OSError, ValueError, KeyError, TypeError) as error:
        what = textwrap.shorten(str(error), 200, placeholder="…")  # Orbax appends whole settings
        raise UserError(
            f"No readable checkpoint in {folder} ({type(error).__name__}: {what}). Give the "
            "folder of a finished run, or train again."
        ) from error
    return state.replace(key=jax.random.wrap_key_data(state.key))


def _storable(state: TrainState) -> TrainState:
    """The state with its key as plain numbers, which is how Orbax stores arrays."""
    return state.replace(key=jax.random.key_data(state.key))
