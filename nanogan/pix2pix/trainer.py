"""One picture turned into another: training on pairs, and how good the outputs are on pairs that were set aside.

A generator that can be told the right answer is trained by two losses at once (`step.py`). `pairs.py` makes and reads
the pairs, `networks.py` describes the networks.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from ..backend import NUMPY, Array, Backend
from ..errors import ShapeError
from ..gan import discriminator_gradients
from ..io import checkpoint, plots
from ..losses import L1
from ..metrics.classifier import features_and_digits
from ..network import Network
from ..recipes.recipe import ImageToImage, Unpaired
from ..training.falling_rate import FallingRate
from ..training.gan_trainer import CHUNK, generate
from ..training.log import COLUMNS, Row
from ..training.trained import generator_part, load_network
from . import similarity
from .pairs import Pairs, describe_shape
from .step import concat_channels, paired_generator_gradients

MEASURED = ("adversarial", "l1", "test_adversarial", "test_l1", "psnr", "ssim", "accuracy")
"""What the log has besides `log.COLUMNS`, measured at the end of an epoch with the weights of that moment. The two
parts of G's loss, each without its weight, on as many training pairs as there are test pairs, and on the test pairs; on
these also PSNR in dB, SSIM and, where they are digits, the share of outputs that are read as the right one. L1 is the
mean |output - target| of pixels in [0, 1]; the loss takes it of pixels in [-1, 1], where it is twice as large."""

SCORES = {"l1": "L1 {:.4f}", "psnr": "PSNR {:.2f} dB", "ssim": "SSIM {:.3f}", "accuracy": "read right {:.1%}"}
"""What `scores` finds, as a line shows it."""

DRAWN = 12
"""How many test pairs are drawn after every epoch, always the same."""


class ImageToImageTrainer(FallingRate):
    """A recipe in training on the pairs `train`, judged on the pairs `test`."""

    columns = (*COLUMNS, *MEASURED)
    shown: Mapping[str, str] = {
        "d_loss": "D {:.2f}",
        "g_loss": "G {:.2f}",
        "l1": "L1 {:.4f}",
        "test_l1": "on the test part: L1 {:.4f}",
        "psnr": SCORES["psnr"],
        "ssim": SCORES["ssim"],
        "accuracy": SCORES["accuracy"],
    }
    sample_columns = 3

    def __init__(
        self,
        recipe: ImageToImage,
        train: Pairs,
        test: Pairs,
        *,
        seed: int,
        batch_size: int | None = None,
        backend: Backend = NUMPY,
        dtype: Any = np.float32,
    ) -> None:
        _check(recipe, train, test)
        self.train, self.test = train, test
        (height, width, a), b = recipe.input_shape, recipe.image_shape[-1]
        data = {"conditions": scaled(recipe, train.conditions), "targets": scaled(recipe, train.targets)}
        options: dict[str, Any] = {"seed": seed, "batch_size": batch_size, "backend": backend, "dtype": dtype}
        D_input = (height, width, a + b)
        networks = {"G": (recipe.generator, recipe.input_shape), "D": (recipe.discriminator, D_input)}
        super().__init__(recipe, networks, data, **options)
        self.l1 = L1().bind(backend, dtype)
        self.test_digest = checkpoint.digest({"conditions": test.conditions, "targets": test.targets})[:16]
        if test.labels is None:
            self.shown = {name: text for name, text in self.shown.items() if name != "accuracy"}

    def _update(self) -> tuple[Array, Array, Array, Array]:
        recipe, G, D, loss, rows = self.recipe, self.G, self.D, self.loss, self.next_rows()
        condition, target = self.next_batch("conditions", rows), self.next_batch("targets", rows)
        fake = G.forward(condition)
        real_pair = concat_channels(D, "real pair", condition, target)
        fake_pair = concat_channels(D, "fake pair", condition, fake)
        d_loss, real_logits, fake_logits = discriminator_gradients(D, loss, real_pair, fake_pair)
        d_real, d_fake = loss.mean_opinions(real_logits, fake_logits)
        self.shard.mean(D.grads)
        self.optimizers["D"].step()
        adversarial, l1 = paired_generator_gradients(
            G,
            D,
            loss,
            self.l1,
            fake_pair,
            fake,
            target,
            l1_weight=recipe.l1_weight,
            adversarial_weight=recipe.adversarial_weight,
        )
        self.shard.mean(G.grads)
        self.optimizers["G"].step()
        return d_loss, recipe.adversarial_weight * adversarial + recipe.l1_weight * l1, d_real, d_fake

    def log_epoch(self, **diagnosed: float) -> Row:
        return super().log_epoch(**self.measure(), **diagnosed)

    def measure(self) -> dict[str, float]:
        """MEASURED, by name, as things stand now."""
        seen = self.train.take(slice(len(self.test)))
        outputs, adversarial = self.judge(seen)
        test_outputs, test_adversarial = self.judge(self.test)
        on_test = scores(test_outputs, self.test)
        return {
            "adversarial": adversarial,
            "l1": float(similarity.l1(outputs, seen.targets).mean()),
            "test_adversarial": test_adversarial,
            "test_l1": on_test.pop("l1"),
            **on_test,
        }

    def judge(self, pairs: Pairs) -> tuple[Array, float]:
        """G's outputs on the host, (N, *image_shape) in [0, 1], and how far D is from taking them for real: L(D, 1)."""
        outputs, total = generate(self.G, self.recipe, scaled(self.recipe, pairs.conditions, self.dtype)), 0.0
        for start in range(0, len(pairs), CHUNK):
            both = [array[start : start + CHUNK] for array in (pairs.conditions, outputs)]
            condition, fake = (self.backend.asarray(scaled(self.recipe, half, self.dtype)) for half in both)
            logits = self.D.forward(concat_channels(self.D, "fake pair", condition, fake), training=False)
            total += float(self.loss.forward(logits, 1.0)) * len(fake)
        return outputs, total / len(pairs)

    def sample(self) -> Array:
        """Rows of input, output and target, of the first test pairs."""
        drawn = self.test.take(slice(DRAWN))
        outputs = generate(self.G, self.recipe, scaled(self.recipe, drawn.conditions, self.dtype))
        return side_by_side(drawn.conditions, outputs, drawn.targets)

    def draw_curves(self, path: Path) -> None:
        plots.save_image_to_image(path, self.rows)

    def settings(self) -> dict[str, Any]:
        return {**super().settings(), "task": self.test.task, "test_data": self.test_digest}


def _check(recipe: ImageToImage, train: Pairs, test: Pairs) -> None:
    """Raise ShapeError unless the pairs are what the recipe was made for, and can be judged."""
    for pairs in (train, test):
        if (pairs.conditions.shape[1:], pairs.targets.shape[1:]) != (recipe.input_shape, recipe.image_shape):
            raise ShapeError(
                f"pairs: expected (N, {recipe.input_shape}) and (N, {recipe.image_shape}), got "
                f"{pairs.conditions.shape} and {pairs.targets.shape}"
            )
    if min(recipe.image_shape[:2]) < similarity.WINDOW:
        least = f"{similarity.WINDOW} x {similarity.WINDOW}"
        raise ShapeError(f"pairs: expected pictures of at least {least} pixels, got {recipe.image_shape[:2]}")


def scaled(recipe: ImageToImage | Unpaired, images: Array, dtype: Any = np.float32) -> Array:
    """Images in [0, 1] with the recipe's values of black and white."""
    low, high = recipe.pixels
    return (images * (high - low) + low).astype(dtype, copy=False)


# ---- how good it is


def scores(outputs: Array, pairs: Pairs) -> dict[str, float]:
    """The means of L1, PSNR (dB) and SSIM of outputs (N, *image_shape) in [0, 1] against the pairs' targets.

    Where the pairs have labels, also the accuracy: the share of outputs that the classifier of FD-mnist reads right.
    """
    measures = {"l1": similarity.l1, "psnr": similarity.psnr, "ssim": similarity.ssim}
    found = {name: float(measure(outputs, pairs.targets).mean()) for name, measure in measures.items()}
    if pairs.labels is not None:
        grey = outputs.max(axis=-1, keepdims=True).astype(np.float32)  # of a colour, its brightest part
        found["accuracy"] = float((features_and_digits(grey)[1] == pairs.labels).mean())
    return found


def format_scores(found: Mapping[str, float]) -> str:
    """L1 0.1264  PSNR 13.03 dB  SSIM 0.487  read right 13.6%"""
    return "  ".join(SCORES[name].format(value) for name, value in found.items())


def inputs_as_outputs(pairs: Pairs) -> Array:
    """The conditions with as many channels as the targets: what a generator that does nothing would give."""
    return with_channels(pairs.conditions, pairs.targets.shape[-1])


def with_channels(images: Array, channels: int) -> Array:
    """Grey images as colour, each channel the same; colour images as grey, the mean of their channels."""
    if images.shape[-1] == channels:
        return images
    return images.mean(axis=-1, keepdims=True).repeat(channels, axis=-1)


def side_by_side(*columns: Array) -> Array:
    """Images row by row, the first of every column, then the second: (rows x columns, H, W, C), in colour if any is."""
    channels = max(column.shape[-1] for column in columns)
    stacked = np.stack([with_channels(column, channels) for column in columns], axis=1)
    return stacked.reshape(-1, *stacked.shape[2:])


# ---- a trained generator


def load_image_to_image(path: str | Path) -> tuple[Network, ImageToImage]:
    """The generator in a checkpoint of an `ImageToImageTrainer`, on NumPy, and its recipe.

    Raises InputError if there is none that works.
    """
    return load_network(path, ImageToImage, generator_part, lambda recipe: np.zeros((1, *recipe.input_shape)))


def translate(G: Network, recipe: ImageToImage, picture: Array) -> Array:
    """What G makes of one picture, (*input_shape) uint8: (*image_shape) in [0, 1].

    Raises ShapeError if the picture has another size or number of channels than those that G was trained on.
    """
    if picture.shape != recipe.input_shape:
        raise ShapeError(
            f"is {describe_shape(picture.shape)}, but the network was trained on {describe_shape(recipe.input_shape)}; "
            "convert the picture, nothing is resized in silence"
        )
    return generate(G, recipe, scaled(recipe, picture[None] / 255, G.dtype))[0]
