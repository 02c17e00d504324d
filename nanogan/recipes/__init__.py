"""What to train: `recipe.py` says what a recipe is, `mnist.py` holds the published ones."""

from .mnist import RECIPES, get_recipe, table
from .recipe import ImageToImage, Recipe, Schedule, describe, restore

__all__ = ["RECIPES", "ImageToImage", "Recipe", "Schedule", "describe", "get_recipe", "restore", "table"]
