"""What is trained to test the claims: shipped recipes with some fields changed."""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

from rnnsent import recipes
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

SOUND: dict[str, Condition] = {
    "sound-simple_rnn": Condition("SimpleRNN, sound start", "sound-simple-rnn"),
    "sound-lstm": Condition("LSTM, sound start", "sound-lstm"),
}
"""Shown beside them: what training makes of the same cells when it is reliable."""


@dataclasses.dataclass(frozen=True)
class Planned:
    """What is to be trained under a name."""

    title: str
    recipe: Recipe
    printed: str | None = None


def planned(changes: Mapping[str, Any], guests: Sequence[Recipe] = ()) -> dict[str, Planned]:
    """All that is trained, by name: the conditions, the sound recipes, and guests.

    Args:
      changes: fields that the command line sets for all of them; what makes a condition stays.
      guests: changed already; one that is a condition's own recipe is not trained again.
    """
    out = {}
    for name, condition in (CONDITIONS | SOUND).items():
        fields = {**changes, **condition.changes}
        recipe = recipes.changed(recipes.SHIPPED[condition.recipe], fields)
        out[name] = Planned(condition.title, recipe, condition.printed)
    folders = {one.recipe.folder for one in out.values()}
    for recipe in guests:
        if recipe.folder not in folders:
            folders.add(recipe.folder)
            out[recipe.name] = Planned(recipe.title, recipe)
    return out
