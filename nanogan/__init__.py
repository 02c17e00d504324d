"""nanogan: generative adversarial networks with every forward and backward pass written by hand.

Read the source in this order: plain, which is a whole GAN on two pages; then layer, layers, network, losses, optim and
gan; then conv and norm.
"""

from .commands import interrupt as interrupt  # first, so that Ctrl-C from here on ends a command without a traceback

# isort: split

from .adversarial import Hinge, Relativistic, Wasserstein, pair_generator_gradients
from .augment import Brightness, Contrast, Cutout, Translation
from .backend import NUMPY, Array
from .backends import get_backend
from .conditional import ConditionalBatchNorm, Embedding, Projection
from .conv import Conv2d, ConvTranspose2d
from .errors import InputError, ShapeError
from .gan import discriminator_gradients, generator_gradients
from .initializers import FanIn, Glorot, Normal, Uniform
from .layer import Layer
from .layers import Dropout, LeakyReLU, Linear, Maxout, ReLU, Sigmoid, Tanh
from .losses import BCE, L1, MSE, BCEWithLogits, CrossEntropy
from .network import Network, Sequential, Skip
from .norm import BatchNorm, InstanceNorm
from .optim import SGD, Adam
from .penalties import between, one_centred_penalty, zero_centred_penalty
from .reshape import Flatten, Pack, Reshape, Upsample
from .spectral import SpectralNorm

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
    "Brightness",
    "ConditionalBatchNorm",
    "Contrast",
    "Conv2d",
    "ConvTranspose2d",
    "CrossEntropy",
    "Cutout",
    "Dropout",
    "Embedding",
    "FanIn",
    "Flatten",
    "Glorot",
    "Hinge",
    "InputError",
    "InstanceNorm",
    "Layer",
    "LeakyReLU",
    "Linear",
    "Maxout",
    "Network",
    "Normal",
    "Pack",
    "Projection",
    "ReLU",
    "Relativistic",
    "Reshape",
    "Sequential",
    "ShapeError",
    "Sigmoid",
    "Skip",
    "SpectralNorm",
    "Tanh",
    "Translation",
    "Uniform",
    "Upsample",
    "Wasserstein",
    "between",
    "discriminator_gradients",
    "generator_gradients",
    "get_backend",
    "one_centred_penalty",
    "pair_generator_gradients",
    "zero_centred_penalty",
]
