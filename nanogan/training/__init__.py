"""Training a recipe: one step, the loop over epochs, the folder of a run, saving and continuing it."""

from .gan_trainer import Trainer, generate
from .trained import load_generator

__all__ = ["Trainer", "generate", "load_generator"]
