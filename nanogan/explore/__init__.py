"""Ways to look into a trained generator: a walk through its noise, and the noise behind a given picture."""

from .invert import Inversion, invert
from .walk import walk

__all__ = ["Inversion", "invert", "walk"]
