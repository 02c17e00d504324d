"""nanogan: generative adversarial networks with every forward and backward pass written by hand.

Read the source in this order: layers, network, losses, optim, gan; then conv and norm.
"""

from .backend import NUMPY, Array, get_backend
from .conv import Conv2d, ConvTranspose2d
from .errors import InputError, ShapeError
from .gan import discriminator_step, generator_step, image_to_image_step, simultaneous_step
from .initializers import FanIn, Glorot, Normal, Uniform
from .layer import Layer
from .layers import Dropout, Flatten, LeakyReLU, Linear, Maxout, Pack, ReLU, Reshape, Sigmoid, Tanh, Upsample
from .losses import BCE, L1, MSE, BCEWithLogits, CrossEntropy
from .network import Network, Sequential, Skip
from .norm import BatchNorm
from .optim import SGD, Adam

__version__ = "0.1.0"

__all__ = [
    "BCE",
    "L1",
    "MSE",
    "NUMPY",
    "SGD",
    "Adam",
    "Array",
    "BCEWithLogits",
    "BatchNorm",
    "Conv2d",
    "ConvTranspose2d",
    "CrossEntropy",
    "Dropout",
    "FanIn",
    "Flatten",
    "Glorot",
    "InputError",
    "Layer",
    "LeakyReLU",
    "Linear",
    "Maxout",
    "Network",
    "Normal",
    "Pack",
    "ReLU",
    "Reshape",
    "Sequential",
    "ShapeError",
    "Sigmoid",
    "Skip",
    "Tanh",
    "Uniform",
    "Upsample",
    "discriminator_step",
    "generator_step",
    "get_backend",
    "image_to_image_step",
    "simultaneous_step",
]
