"""The fourteen faults: what each changes in nanogan's own source, where it was seen, and what cures it.

Three kinds, and each has its own alarm. Wrong derivatives: `gradcheck` names them. Right derivatives of a wrong
function: only a test of the objective can see them, because the derivatives fit. Sound code that trains badly: only
the run shows it, so its diagnosis has to. `examine.py` trains with a fault.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

from ... import gan
from ...data.images import Images
from ...errors import InputError
from ...initializers import FanIn
from ...layers import Sigmoid
from ...losses import Loss
from ...optim import Adam
from ...recipes import convolutional
from ...recipes.recipe import Recipe
from ...training.gan_trainer import Trainer
from ...training.trainer import BaseTrainer
from . import school
from .change import Change


class Kind(NamedTuple):
    """A kind of fault, and the alarm that has to find it."""

    name: str
    alarm: str


DERIVATIVE = Kind("a wrong derivative", "gradcheck")
FUNCTION = Kind("right derivatives of a wrong function", "objective")
TRAINING = Kind("sound code that trains badly", "diagnosis")


@dataclass(frozen=True)
class Fault:
    """Something that is wrong, as a change of the source.

    name: what to type. title: what is wrong. seen: in which public code, if in any. sees: what a learner sees of it.
    cure: what to do, with a command or an option if there is one. recipe, steps: of the run that shows it.
    """

    name: str
    title: str
    kind: Kind
    seen: str
    changes: tuple[Change, ...]
    sees: str
    cure: str
    recipe: Callable[[], Recipe] = school.dense
    steps: int = 1500


FAULTS: tuple[Fault, ...] = (
    Fault(
        "sum-for-mean",
        "the loss is a mean, its gradient that of a sum",
        DERIVATIVE,
        "ML-From-Scratch",
        (Change(Loss.backward, {"dx /= x.size": "pass"}),),
        "Nothing: Adam divides every gradient by its own size. With SGD, steps are 64 times too large.",
        "Divide by the number of terms, as the loss does; `python -m nanogan gradcheck` names the factor.",
    ),
    Fault(
        "stale-activations",
        "D's real term uses what D has stored of the fake images",
        DERIVATIVE,
        "gan_numpy",
        (
            Change(
                gan._one_after_the_other,
                {
                    "    fake_logits = D.forward(fake, labels=labels[1])\n": "\n",
                    "labels[0]).copy()": "labels[0]).copy(); fake_logits = D.forward(fake, labels=labels[1])",
                },
            ),
        ),
        "D says 1/2 to everything, because it is taught that the same fake images are real, and that they are fake.",
        "Take each backward pass before the next forward pass, which overwrites what the first has stored.",
        school.convolutional,
        1000,
    ),
    Fault(
        "no-gradient",
        "G's gradient doesn't pass through D",
        DERIVATIVE,
        "numpy-ml's WGAN-GP",
        (Change(gan.generator_gradients, {"D.backward_input(dlogits)": "0 * D.backward_input(dlogits)"}),),
        "G never moves. D's loss falls to 0, because it judges the same noise for ever.",
        "Give G what D's backward pass returns, d(loss)/d(image).",
    ),
    Fault(
        "adam-power",
        "Adam's correction without the power of t",
        DERIVATIVE,
        "GANumpy",
        (
            Change(
                Adam.numbers,
                {"(1 - beta1**self.t)": "(1 - beta1)", "(1 - beta2**self.t)": "(1 - beta2)"},
            ),
        ),
        "It learns, but every step is too small, for ever: by a factor of about 16 with these betas.",
        "Divide by 1 - beta^t: at t = 1 the two agree, and later nothing is left to correct.",
    ),
    Fault(
        "double-sigmoid",
        "the sigmoid is computed as sigma(2x)",
        FUNCTION,
        "HIPS/autograd's example of a GAN",
        (
            Change(Sigmoid.forward, {"self.xp.exp(e, out=e)  # exp(-|x|)": "self.xp.exp(2 * e, out=e)  # exp(-|2x|)"}),
            Change(
                Sigmoid.backward_input,
                {"subtract(1, self.y, out=dx)  # 1 - y": "subtract(2, 2 * self.y, out=dx)  # 2 (1 - y)"},
            ),
        ),
        "Next to nothing: D's logits come out half as large, and the rest is as before.",
        "Compare a function with its textbook form at random numbers. At x = 0 the two agree.",
        school.probabilities,
    ),
    Fault(
        "plus-log",
        "+ log D(G(z)) where - log(1 - D(G(z))) is meant, in D's fake term",
        FUNCTION,
        "HIPS/autograd's example of a GAN",
        (
            Change(Loss.discriminator_forward, {"+ self.forward(fake, 0.0)": "- self.forward(fake, 1.0)"}),
            Change(Loss.discriminator_backward, {"= self.backward(fake, 0.0)": "= -self.backward(fake, 1.0)"}),
        ),
        "D comes to say 1 to everything, because its two terms cancel. Both losses are 0, and nothing moves any more.",
        "Each term is a -log of what D should say: -log D(x), -log(1 - D(G(z))). At chance they add up to 2 ln 2.",
    ),
    Fault(
        "batchnorm-eps",
        "BatchNorm's eps is 0.8, because momentum went into its place",
        FUNCTION,
        "PyTorch-GAN#116",
        (
            Change(
                convolutional.nanogan,
                {
                    f"BatchNorm({channels})": f"BatchNorm({channels}, eps=0.8)"
                    for channels in ("16 * width", "deepest", "8 * width")
                },
            ),
        ),
        "Nothing: this small GAN learns as well with activations that are too small.",
        "Give settings by name: BatchNorm(16, momentum=0.2). Here there is no other way.",
        school.convolutional,
        1000,
    ),
    Fault(
        "pixel-range",
        "tanh draws -1 to 1, and the pixels are in [0, 1]",
        TRAINING,
        "several tutorials",
        (Change(Images.scaled, {"scale, dtype)": "(0.0, 1.0), dtype)"}),),
        "Digits on a grey ground: black is 0 now, the middle of what tanh draws.",
        "Scale the images to what G's last layer draws. `python -m nanogan train` does so for its recipe.",
    ),
    Fault(
        "saturating",
        "G minimises log(1 - D(G(z))), the saturating loss",
        TRAINING,
        "tutorials that print the minimax formula",
        (
            Change(
                Trainer._update,
                {"loss, fake, labels=fake_labels)": "loss, fake, labels=fake_labels, saturating=True)"},
            ),
        ),
        "D(G(z)) falls to 0, G's gradient with it, and nothing moves any more.",
        "Let G minimise -log D(G(z)), as every recipe of nanogan does: `generator_gradients` without `saturating`.",
        school.strong_discriminator,
        1000,
    ),
    Fault(
        "beta1",
        "beta1 = 0.9 with a D that learns fast",
        TRAINING,
        "labml notes that it fails",
        (Change(school.dense, {"beta1=0.5": "beta1=0.9"}),),
        "D wins, and all of G's images become one.",
        "--beta1 0.5, or a smaller --lr.",
        steps=2500,
    ),
    Fault(
        "d-lr",
        "D's learning rate times 10",
        TRAINING,
        "",
        (
            Change(
                BaseTrainer.__init__,
                {
                    'own = {"D": getattr(recipe, "d_optimizer", None) or recipe.optimizer}': 'own = {"D": '
                    "type(recipe.optimizer)(lr=10 * recipe.optimizer.lr, betas=recipe.optimizer.betas)}"
                },
            ),
        ),
        "D's loss leaps to ten times that of guessing and back, and G follows what isn't worth following.",
        "One learning rate for both, or a smaller one for D: --d-lr.",
    ),
    Fault(
        "init",
        "N(0, 0.02) for the first weights, without normalisation",
        TRAINING,
        "d2l's newer chapter on GANs",
        (
            Change(FanIn.weight, {"uniform(1 / math.sqrt(fan_in))": "Normal(0.02).weight(fan_in, fan_out)"}),
            Change(FanIn.bias, {"uniform(1 / math.sqrt(fan_in))": "zeros"}),
            Change(
                convolutional.nanogan,
                {f"BatchNorm({channels}),": "" for channels in ("16 * width", "deepest", "8 * width")},
            ),
            Change(convolutional._doublings, {"BatchNorm(c_out),": ""}),
            Change(convolutional._halvings, {"BatchNorm(c_out),": ""}),
        ),
        "Signals shrink from layer to layer, and so do gradients; when D finds a difference, G can't follow.",
        "BatchNorm after hidden layers, for which DCGAN chose 0.02; or weights that follow the fan-in.",
        school.convolutional,
        2500,
    ),
    Fault(
        "one-batch",
        "real and fake images in one batch of a D with BatchNorm",
        TRAINING,
        "keras.io's DCGAN",
        (
            Change(
                gan.discriminator_gradients,
                {"_one_after_the_other if D.depends_on_batch and not loss.compares else ": ""},
            ),
        ),
        "D(G(z)) is near 0 in D's step and near 1/2 in G's, where the batch has no real image in it.",
        "Give D real and fake images in batches of their own.",
        school.convolutional,
        1000,
    ),
    Fault(
        "two-sided",
        "labels smoothed on both sides: 0.8 for real images and 0.2 for fake ones",
        TRAINING,
        "labml",
        (
            Change(Loss.discriminator_forward, {"forward(fake, 0.0)": "forward(fake, 1 - real_label)"}),
            Change(Loss.discriminator_backward, {"backward(fake, 0.0)": "backward(fake, 1 - real_label)"}),
        ),
        "D may not say less than 0.2 to a bad image, so G has less reason to leave where it is.",
        "Smooth the label of real images alone (Salimans et al. 2016): `real_label` of a recipe.",
        school.smoothed,
    ),
)


def get_fault(name: str) -> Fault:
    """The fault called `name`. Raises InputError, naming all, if there is none."""
    for fault in FAULTS:
        if fault.name == name:
            return fault
    raise InputError(f"fault {name!r} is unknown: choose one of {', '.join(fault.name for fault in FAULTS)}")
