"""The final state of a training on disk, with Orbax, beside the configuration of its model."""

import dataclasses
import json
import pathlib
import textwrap

import jax
import optax
import orbax.checkpoint as ocp

from rnnsent.errors import UserError
from rnnsent.model import ModelConfig
from rnnsent.training import TrainState, create_state

_MODEL = "model.json"
_STATE = "state"


def save(folder: pathlib.Path, config: ModelConfig, state: TrainState) -> None:
    """Writes a state and the configuration of its model; what was in the folder is replaced."""
    folder.mkdir(parents=True, exist_ok=True)
    with ocp.StandardCheckpointer() as checkpointer:
        checkpointer.save(folder.absolute() / _STATE, _storable(state), force=True)
    (folder / _MODEL).write_text(json.dumps(dataclasses.asdict(config), indent=2) + "\n")


def restore(
    folder: pathlib.Path, optimizer: optax.GradientTransformation
) -> tuple[ModelConfig, TrainState]:
    """What :func:`save` wrote, on the default device; ``optimizer`` is the one trained with.

    Raises:
      UserError: if there is no checkpoint or it cannot be read.
    """
    try:
        fields = json.loads((folder / _MODEL).read_text())
        config = ModelConfig(**fields | {"features": tuple(fields["features"])})
        like = jax.eval_shape(lambda: _storable(create_state(config, optimizer, 0)))
        here = jax.sharding.SingleDeviceSharding(jax.local_devices()[0])
        like = jax.tree.map(lambda a: jax.ShapeDtypeStruct(a.shape, a.dtype, sharding=here), like)
        with ocp.StandardCheckpointer() as checkpointer:
            state = checkpointer.restore(folder.absolute() / _STATE, like)
    except (OSError, ValueError, KeyError, TypeError) as error:
        what = textwrap.shorten(str(error), 200, placeholder="…")  # Orbax appends whole settings
        raise UserError(
            f"No readable checkpoint in {folder} ({type(error).__name__}: {what}). Give the "
            "folder of a finished run, or train again."
        ) from error
    return config, state.replace(key=jax.random.wrap_key_data(state.key))


def _storable(state: TrainState) -> TrainState:
    """The state with its key as plain numbers, which is how Orbax stores arrays."""
    return state.replace(key=jax.random.key_data(state.key))
