"""The exercises of `python -m nanogan learn`, in their order."""

from .activations import LEAKY_RELU, TANH
from .adam import ADAM
from .convolution import COL2IM, TRANSPOSED
from .exercise import Exercise
from .linear import DB, DW, DX
from .losses import BCE, MEAN
from .norm import BATCH_NORM
from .penalty import R1
from .steps import D_STEP, G_STEP

EXERCISES: tuple[Exercise, ...] = (
    DW, DX, DB, LEAKY_RELU, TANH, BCE, MEAN, D_STEP, G_STEP, ADAM, BATCH_NORM, COL2IM, TRANSPOSED, R1,
)  # fmt: skip
