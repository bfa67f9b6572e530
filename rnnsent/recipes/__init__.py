"""A recipe: a model and how it is trained, all that a training follows from but data and seed.

Shipped recipes have names; a user's is a TOML file with the same fields, for example::

    extends = "notebook-lstm"
    cell = "my_cells:MinimalCell"
    epochs = 6
"""

from rnnsent.recipes.digests import digest
from rnnsent.recipes.reading import changed, find
from rnnsent.recipes.recipe import SHIPPED, Recipe

__all__ = ["SHIPPED", "Recipe", "changed", "digest", "find"]
