"""What is trained to test the claims: shipped recipes with some fields changed."""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

from rnnsent import recipes
from rnnsent.errors import UserError
from rnnsent.recipes import Recipe


@dataclasses.dataclass(frozen=True)
class Condition:
    """One way to train.

    Attributes:
      title: in texts and tables.
      recipe: name of a shipped recipe.
      changes: fields that are not the recipe's.
      printed: whose accuracy the notebook printed of what may have been trained like this: a key of
        ``notebook.TEST_ACCURACY``.
    """

    title: str
    recipe: str
    changes: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    printed: str | None = None


CONDITIONS: dict[str, Condition] = {
    "simple_rnn": Condition("SimpleRNN", "notebook-simple-rnn", {"fits": 1}, "simple_rnn"),
    "lstm": Condition("LSTM", "notebook-lstm", printed="lstm"),
    "simple_rnn-twice": Condition(
        "SimpleRNN fitted twice", "notebook-simple-rnn", {"fits": 2}, "simple_rnn"
    ),
    "simple_rnn-plain": Condition(
        "SimpleRNN without recurrent dropout",
        "notebook-simple-rnn",
        {"fits": 1, "recurrent_dropout": 0.0},
    ),
    "lstm-recurrent": Condition(
        "LSTM with recurrent dropout", "notebook-lstm", {"recurrent_dropout": 0.1}
    ),
}
"""The criteria are about these: the notebook's two recipes, the rest of the 2 x 2 of cell by
recurrent dropout, and the SimpleRNN fitted twice, which the notebook's cell numbers suggest."""

BASES = tuple(dict.fromkeys(condition.recipe for condition in CONDITIONS.values()))
"""The shipped recipes that they are made of."""

OWN = ("cell", *sorted({field for one in CONDITIONS.values() for field in one.changes}))
"""The fields in which conditions differ: set in all of them, none would be what its title says."""


@dataclasses.dataclass(frozen=True)
class Planned:
    """What is to be trained under a name.

    Attributes:
      title: in texts and tables; it says so where a condition is changed.
      recipe: of the training.
      printed: as of a condition; None where that is changed.
      changed: whether it is a condition, but not trained as shipped.
    """

    title: str
    recipe: Recipe
    printed: str | None = None
    changed: bool = False


def planned(bases: Sequence[Recipe], guests: Sequence[Recipe] = ()) -> dict[str, Planned]:
    """All that is trained, by name: the conditions, and guests beside them.

    Args:
      bases: the recipes of ``BASES``, in that order, as they are to be trained; what makes a
        condition is set in them.
      guests: recipes to be shown beside; one that is a condition's own is not trained again.
    """
    base = dict(zip(BASES, bases, strict=True))
    out = {name: _planned(one, base[one.recipe]) for name, one in CONDITIONS.items()}
    folders = {one.recipe.folder for one in out.values()}
    taken = set(out) | {one.title for one in out.values()}
    for recipe in guests:
        if recipe.folder not in folders:
            name, title = (f"recipe {n}" if n in taken else n for n in (recipe.name, recipe.title))
            out[name] = Planned(title, recipe)
    return out


def _planned(condition: Condition, base: Recipe) -> Planned:
    recipe = recipes.changed(base, condition.changes)
    if recipe == recipes.changed(recipes.SHIPPED[condition.recipe], condition.changes):
        return Planned(condition.title, recipe, condition.printed)
    return Planned(f"{condition.title}, changed", recipe, changed=True)


def check(changes: Mapping[str, Any]) -> None:
    """Raises ``UserError`` for fields to be set everywhere in which the conditions differ."""
    if own := [f"--{name.replace('_', '-')}" for name in OWN if name in changes]:
        raise UserError(
            f"{', '.join(own)}: the claims set this themselves, for it is what they compare; give "
            "a recipe of your own with --recipes, and it is shown beside."
        )
