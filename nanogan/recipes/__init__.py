"""What to train: a recipe (`recipe.py`); `dense.py` and `convolutional.py` make them, `mnist.py` names them."""

from .cures import cured
from .mnist import RECIPES, get_recipe, table
from .recipe import ImageToImage, Recipe, Schedule, Unpaired, describe, restore

__all__ = [
    "RECIPES",
    "ImageToImage",
    "Recipe",
    "Schedule",
    "Unpaired",
    "cured",
    "describe",
    "get_recipe",
    "restore",
    "table",
]
