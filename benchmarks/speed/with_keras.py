"""The step of the recipe `keras` in Keras, as its tutorial writes it: `train_on_batch`, and D frozen while G trains."""

from __future__ import annotations

import os
from importlib.util import find_spec
from typing import Any

import numpy as np

from nanogan.backend import Array
from nanogan.layers import Linear
from nanogan.network import Network
from nanogan.optim import Adam
from nanogan.reshape import Flatten, Reshape
from nanogan.training.gan_trainer import Trainer

from .reference import Contender, Missing, Setup, Step


class Keras(Contender):
    """backend: the library that Keras computes with."""

    def __init__(self, setup: Setup, backend: str) -> None:
        super().__init__(setup)
        if setup.recipe.name != "keras":
            raise Missing("written for the recipe keras alone")
        if not find_spec(backend):
            raise Missing(f"{backend} is not installed")
        os.environ["KERAS_BACKEND"] = backend
        import keras

        if backend == "torch":
            import torch

            torch.set_num_threads(setup.threads)
        trainer: Trainer = setup.trainer()
        optimizer = self.recipe.optimizer
        assert isinstance(optimizer, Adam)
        self.G, self.D = model(keras, trainer.G), model(keras, trainer.D)
        adam = {"learning_rate": optimizer.lr, "epsilon": optimizer.eps}
        self.D.compile(keras.optimizers.Adam(**adam), loss="binary_crossentropy", metrics=["accuracy"])
        self.both = keras.Sequential([keras.Input((self.recipe.noise_size,)), self.G, self.D])
        self.both.compile(keras.optimizers.Adam(**adam), loss="binary_crossentropy")
        n = setup.batch_size
        self.ones = np.ones((n, 1), np.float32)
        self.labels = np.concatenate([self.ones, np.zeros((n, 1), np.float32)])
        self.rng = np.random.default_rng(0)

    def losses(self, step: Step) -> tuple[float, float]:
        assert step.z_again is not None
        self.D.reset_metrics()  # or the losses would be means since the first step
        self.both.reset_metrics()
        return self._step(step.real, step.z, step.z_again)

    def run(self, steps: int) -> None:
        for _ in range(steps):
            real = self.setup.images[self.rng.integers(len(self.setup.images), size=self.setup.batch_size)]
            self._step(real, self._noise(), self._noise())

    def _noise(self) -> Array:
        return self.rng.standard_normal((self.setup.batch_size, self.recipe.noise_size), dtype=np.float32)

    def _step(self, real: Array, z: Array, z_again: Array) -> tuple[float, float]:
        images = np.concatenate([real, self.G.predict_on_batch(z)])
        self.D.trainable = True
        d_loss, _ = self.D.train_on_batch(images, self.labels)
        self.D.trainable = False
        g_loss = self.both.train_on_batch(z_again, self.ones)
        return float(d_loss), float(np.ravel(g_loss)[0])


def model(keras: Any, network: Network) -> Any:
    """The same fully connected layers with the same weights."""
    layers = [keras.Input(network.input_shape)]
    for layer in network.layers:
        match layer:
            case Linear():
                layers.append(keras.layers.Dense(layer.n_out))
            case Flatten():
                layers.append(keras.layers.Flatten())
            case Reshape():
                layers.append(keras.layers.Reshape(layer.shape))
            case _:
                layers.append(keras.layers.Activation(type(layer).__name__.lower()))
    net = keras.Sequential(layers)
    net.set_weights([array for layer in network.layers for array in (layer.arrays().values())])
    return net
