"""A trained model from one kind of file to another, or to one that runs by itself."""

import dataclasses
import pathlib
from collections.abc import Collection

from rnnsent import exported, interop, recipes, runs
from rnnsent.errors import UserError
from rnnsent.interop import Portable
from rnnsent.model import OPTIONS
from rnnsent.parameters import size


def convert(
    source: pathlib.Path,
    target: pathlib.Path,
    *,
    recipe: str | None = None,
    cells: Collection[str] = (),
    best: bool = False,
    force: bool = False,
) -> list[str]:
    """Writes the model in ``source`` to ``target``, whose names say what they are.

    Args:
      source: the folder of a training, or of a run that holds one; or a ``.keras``, ``.weights.h5``
        or ``.safetensors`` file.
      target: such a file.
      recipe: what a ``.weights.h5`` file must be the weights of: a shipped one or a TOML file.
      cells: that may be imported, as ``module:Class``, besides the shipped ones.
      best: of a training's folder the state after its best epoch, instead of the last one.
      force: write over a file that exists.

    Returns:
      What was converted and what its predictions assume, a sentence each.

    Raises:
      UserError: if there is no such model, or it cannot be written so; nothing is written then.
    """
    interop.check_target(target, force)
    if best and not source.is_dir():
        raise UserError(f"{source} holds one state only; leave out --best.")
    portable = _from_folder(source, cells, best) if source.is_dir() else _from_file(source, cells)
    if recipe is not None:
        portable = _of_recipe(source, portable, recipe)
    interop.save(target, portable, force=force)
    model = portable.model
    widths = ", ".join(map(str, model.features))
    about = (
        f"{model.cell} of {widths}; embedding {model.vocab_size:,} x {model.embedding_size}, head "
        f"{model.head}: {size(portable.params):,} parameters, from {source} to {target}."
    )
    return [about, *portable.notes, portable.assumes]


def export(
    source: pathlib.Path,
    target: pathlib.Path,
    *,
    cells: Collection[str] = (),
    best: bool = False,
    force: bool = False,
) -> list[str]:
    """Writes a trained model to a file that runs without rnnsent, see :mod:`rnnsent.exported`.

    Args:
      source: the folder of a training, or of a run that holds one.
      target: the file.
      cells: that may be imported, as ``module:Class``, besides the shipped ones.
      best: of a training's folder the state after its best epoch, instead of the last one.
      force: write over a file that exists.

    Returns:
      What was exported and how it is run, a sentence each.

    Raises:
      UserError: if there is no such model, or it cannot be exported; nothing is written then.
    """
    interop.check_place(target, force)
    training = _training(source, cells)
    model, _, params = runs.restore(training, cells, best=best)
    run = training.folder.absolute().parents[1]
    text, held = runs.load_vocabulary(run), runs.data_of(run)
    about = f"{held['source']}: {held['title']}"
    if best and (epoch := training.best):
        about += f"; the best state, after epoch {epoch.epoch} of {training.result.epochs}"
    exported.save(target, model, params, *text, trained_on=about, force=force)
    return [
        f"{training.title}, seed {training.seed}: {size(params):,} parameters and "
        f"{len(text[0].words):,} words, from {training.folder} to {target}, "
        f"{target.stat().st_size / 1e6:.1f} MB.",
        f'It runs wherever JAX is: python {target.name} "a fine film"',
    ]


def _training(folder: pathlib.Path, cells: Collection[str]) -> runs.Training:
    """A training by its folder, or a run's where it is the only one."""
    if (folder / "result.json").exists():
        training = runs.read(folder)
        runs.check_named([training], cells)
        return training
    training, *others = runs.trusted(runs.readable(folder), cells)
    if others:
        there = ", ".join(str(one.folder) for one in (training, *others)[:6])
        raise UserError(f"{folder} holds {len(others) + 1} models; give one of {there}.")
    return training


def _from_folder(folder: pathlib.Path, cells: Collection[str], best: bool) -> Portable:
    """The model of :func:`_training`."""
    model, _, params = runs.restore(_training(folder, cells), cells, best=best)
    return Portable(model, params)


def _from_file(source: pathlib.Path, cells: Collection[str]) -> Portable:
    """The model of a file, which must have every cell that is named."""
    portable = interop.load(source, cells)
    held = portable.model.cell
    if other := [repr(cell) for cell in cells if cell != held]:
        raise UserError(f"--cell: {source} has not the cell {', '.join(other)}; it has {held!r}.")
    return portable


def _of_recipe(source: pathlib.Path, portable: Portable, name: str) -> Portable:
    """The same weights as a recipe's model, dropout and all."""
    if source.is_dir() or interop.suffix(source) != ".weights.h5":
        raise UserError(f"{source} says itself what its model is; leave out --recipe.")
    held = portable.model
    model = recipes.find(name).classifier(held.vocab_size)
    for field in ("cell", "features", "head", "embedding_size", *OPTIONS):
        have, want = getattr(held, field), getattr(model, field)
        if have != want:
            raise UserError(f"{source}: {field} is {have}, and {want} in the recipe {name}.")
    return dataclasses.replace(portable, model=model)
