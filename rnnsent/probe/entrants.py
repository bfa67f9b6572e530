"""What takes part in a probe: recipes, and cells trained soundly, as the probe trains them."""

import dataclasses
from collections.abc import Sequence

import msgspec

from rnnsent import cells, recipes, runs
from rnnsent.errors import UserError
from rnnsent.probe.model import reader
from rnnsent.probe.tasks import SHORTEST, TASKS
from rnnsent.probe.train import EVERY, Trial
from rnnsent.recipes import Recipe


@dataclasses.dataclass(frozen=True)
class Settings:
    """What is common to all trainings of a probe.

    Attributes:
      features: width of each recurrent layer, the lowest first.
      batch: rows of a step.
      steps: at most, a multiple of ``every``.
      every: steps between two scores.
    """

    features: tuple[int, ...]
    batch: int
    steps: int
    every: int = EVERY


@dataclasses.dataclass(frozen=True)
class Entrant:
    """A recipe as the probe trains it.

    Attributes:
      title: in texts and tables.
      name: of the recipe as it is named by the user, or of the cell.
      folder: in a run folder.
      recipe: with the probe's width, batch and steps; an epoch is a step.
    """

    title: str
    name: str
    folder: str
    recipe: Recipe

    def trial(self, task: str, length: int, settings: Settings) -> Trial:
        """The training on a task of a length."""
        model = reader(self.recipe, TASKS[task].outputs)
        optimizer = self.recipe.optimizer(settings.batch)
        return Trial(model, optimizer, task, length, settings.batch, settings.every)

    def weights(self) -> int:
        """Recurrent weights, by which the work of models is set beside one another."""
        return max(1, self.recipe.work() // self.recipe.epochs)


def entrants(
    recipe_names: Sequence[str], cell_names: Sequence[str], settings: Settings
) -> list[Entrant]:
    """Recipes by name or file, then cells by name, these with the training of ``sound-gru``.

    Raises:
      UserError: if there is no such one, two have one name, or one's layers are not plain.
    """
    chosen = [_plain(recipes.find(name)) for name in recipe_names]
    chosen += [_of_cell(name) for name in cell_names]
    out = [Entrant(r.title, r.name, r.folder, probed(r, settings)) for r in chosen]
    for taken in ("name", "title"):
        names = [getattr(one, taken) for one in out]
        if twice := sorted({name for name in names if names.count(name) > 1}):
            raise UserError(f"{', '.join(twice)}: named twice; give each recipe and cell once.")
    return out


def _plain(recipe: Recipe) -> Recipe:
    """The recipe; ``UserError`` where its layers have what the probe's do not."""
    if options := recipe.classifier(vocab_size=1).options():
        shown = ", ".join(f"{name}={value}" for name, value in options.items())
        raise UserError(
            f"{recipe.name} has {shown}; the probe asks what a cell remembers, in plain recurrent "
            "layers. Leave that recipe out, or that field."
        )
    return recipe


def _of_cell(name: str) -> Recipe:
    """A cell started as it starts itself and trained soundly."""
    cells.find(name)
    recipe = recipes.changed(recipes.SHIPPED["sound-gru"], {"cell": name})
    return msgspec.structs.replace(recipe, name=name)


def probed(recipe: Recipe, settings: Settings) -> Recipe:
    """A recipe with the probe's width, batch and steps, and without dropout of what is read.

    Its cell, start of the recurrent weights, recurrent dropout, optimizer, clipping and schedule
    stay; the schedule ends with the last step.
    """
    return recipes.changed(
        recipe,
        {
            "features": settings.features,
            "batch_size": settings.batch,
            "epochs": settings.steps,
            "fits": 1,
            "dropout": 0.0,
        },
    )


def check(chosen: Sequence[Entrant], tasks: Sequence[str]) -> None:
    """Raises ``UserError`` if some cell cannot be trained on these tasks, before any is."""
    widths = {TASKS[task].width(SHORTEST) for task in tasks} | {1}
    for width in sorted(widths):
        at = [recipes.changed(one.recipe, {"embedding_size": width}) for one in chosen]
        runs.check(None, at, (0,), num_words=1)
