"""Every contender by name. What a library's file imports is imported only in the process of a contender of its own."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, version

from nanogan.recipes.recipe import ImageToImage

from .reference import Contender, Missing, Setup

OURS = "nanogan"
BEFORE = "nanogan before"
"""Another checkout of it, which --before names."""
NAIVE = "naive NumPy"
TORCH = ("PyTorch eager", "PyTorch fused", "PyTorch careful", "PyTorch compiled", "PyTorch graphed")
JAX = "JAX jit"
KERAS = {"Keras on PyTorch": "torch", "Keras on JAX": "jax", "Keras on TensorFlow": "tensorflow"}

LIBRARIES = {**dict.fromkeys(TORCH, "torch"), JAX: "jax", **dict.fromkeys(KERAS, "keras")}
"""The package that a contender needs besides NumPy."""


def build(name: str, setup: Setup) -> Contender:
    """Raises Missing where it can't compute this recipe on this machine."""
    if name in LIBRARIES and not installed(LIBRARIES[name]):
        raise Missing(f"{LIBRARIES[name]} is not installed")
    if name == OURS:
        from .ours import Nanogan

        return Nanogan(setup)
    if name in TORCH:
        from .with_torch import FORMS, PyTorch
        from .with_torch_unet import PyTorchUNet

        return (PyTorchUNet if isinstance(setup.recipe, ImageToImage) else PyTorch)(setup, FORMS[name])
    if name == JAX:
        from .with_jax import JAXStep

        return JAXStep(setup)
    if name in KERAS:
        from .with_keras import Keras

        return Keras(setup, KERAS[name])
    from .naive_step import LADDER, Naive

    return Naive(setup, LADDER[name])


def installed(package: str) -> str | None:
    """The version of a package, None where it isn't there. It is not imported."""
    try:
        return version(package)
    except PackageNotFoundError:
        return None
