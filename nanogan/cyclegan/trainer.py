"""A style in training: two generators and two discriminators, on pictures a and b of which no two belong together.

`step.py` has the gradients, `pool.py` what the discriminators see, `sides.py` the pictures, `networks.py` the networks.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from ..backend import NUMPY, Array, Backend
from ..data.batches import Batches
from ..errors import InputError, ShapeError
from ..gan import discriminator_gradients
from ..io import plots
from ..losses import L1
from ..metrics.classifier import features_and_digits
from ..network import Network
from ..pix2pix.pairs import describe_shape
from ..pix2pix.trainer import scaled, side_by_side
from ..recipes.translators import Unpaired
from ..training.falling_rate import FallingRate
from ..training.gan_trainer import generate
from ..training.log import COLUMNS, Row
from ..training.trained import Part, load_network
from ..workers import Workers
from .networks import expect_multiples
from .pool import Pool
from .sides import Sides
from .step import both_trips_gradients

MEASURED = ("cycle_a", "cycle_b", "read", "read_back")
"""What the log has besides `log.COLUMNS`, on the pictures that were set aside, at the end of an epoch. cycle_a is the
mean |F(G(a)) - a| of pixels in [0, 1], cycle_b that of b. Where b are MNIST's digits: the share of G(a) that the
classifier of FD-mnist reads as what a was drawn from, and the share of G(F(b)) that it reads as b's label."""
DRAWN = 8
"""How many pictures of each kind are drawn after every epoch, always the same."""


class UnpairedTrainer(FallingRate):
    """A recipe in training on the pictures `train`, looked at on the pictures `test`. An epoch goes once through a."""

    recipe: Unpaired
    columns = (*COLUMNS, *MEASURED)
    shown: Mapping[str, str] = {
        "d_loss": "D {:.2f}",
        "g_loss": "G {:.2f}",
        "cycle_a": "there and back: a {:.4f}",
        "cycle_b": "b {:.4f}",
        "read": "read right {:.1%}",
    }
    sample_columns = 6

    def __init__(
        self,
        recipe: Unpaired,
        train: Sides,
        test: Sides,
        *,
        seed: int,
        batch_size: int | None = None,
        backend: Backend = NUMPY,
        dtype: Any = np.float32,
    ) -> None:
        for sides in (train, test):
            if (sides.a.shape[1:], sides.b.shape[1:]) != (recipe.shape_a, recipe.shape_b):
                raise ShapeError(
                    f"pictures: expected (N, {recipe.shape_a}) and (N, {recipe.shape_b}), got {sides.a.shape} and "
                    f"{sides.b.shape}"
                )
        networks = {
            "to_b": (recipe.to_b, recipe.shape_a),
            "to_a": (recipe.to_a, recipe.shape_b),
            "judge_a": (recipe.judge_a, recipe.shape_a),
            "judge_b": (recipe.judge_b, recipe.shape_b),
        }
        data = {"a": scaled(recipe, train.a), "b": scaled(recipe, train.b)}
        options: dict[str, Any] = {"seed": seed, "batch_size": batch_size, "backend": backend, "dtype": dtype}
        super().__init__(recipe, networks, data, **options)
        self.shuffled = {"order": self.batches, "order_b": Batches(len(train.b), self.batches.batch_size, self.rng)}
        self.l1 = L1().bind(backend, dtype)
        shapes = {"a": recipe.shape_a, "b": recipe.shape_b}
        self.pools = {kind: Pool(recipe.pool, shape, self.rng, backend, self.dtype) for kind, shape in shapes.items()}
        self.test, self.task = test, train.task
        if test.labels_a is None:
            self.shown = {name: text for name, text in self.shown.items() if name != "read"}

    def share(self, workers: Workers, *, own_statistics: bool = False) -> None:
        if workers.size > 1:
            raise InputError("a style trains in one process, because the pools of earlier fakes can't be shared out")
        super().share(workers, own_statistics=own_statistics)

    def _update(self) -> tuple[Array, Array, Array, Array]:
        """One update of all four: the sums of both kinds' losses, the means of what the discriminators say."""
        recipe, loss = self.recipe, self.loss
        real = {"a": self.next_batch("a", self.next_rows())}
        real["b"] = self.next_batch("b", self.backend.fresh(self.shuffled["order_b"].next))
        to_b, to_a, judge_a, judge_b = self.networks.values()
        g_loss, *fakes = both_trips_gradients(
            to_b,
            to_a,
            judge_a,
            judge_b,
            loss,
            self.l1,
            real["a"],
            real["b"],
            cycle_weight=recipe.cycle_weight,
            identity_weight=recipe.identity_weight,
        )
        shown = [pool.exchange(fake) for pool, fake in zip(self.pools.values(), fakes, strict=True)]
        for name in ("to_b", "to_a"):
            self.optimizers[name].step()
        said = []
        for kind, D, fake in zip("ab", (judge_a, judge_b), shown, strict=True):
            d_loss, *logits = discriminator_gradients(D, loss, real[kind], fake)
            said.append((d_loss, *loss.mean_opinions(*logits)))
            self.optimizers[f"judge_{kind}"].step()
        d_loss, d_real, d_fake = (of_a + of_b for of_a, of_b in zip(*said, strict=True))
        return d_loss, g_loss, d_real / 2, d_fake / 2

    def arrays(self) -> dict[str, Array]:
        arrays = super().arrays()
        for kind, pool in self.pools.items():
            arrays |= {f"pool_{kind}.kept": pool.kept, f"pool_{kind}.count": pool.count}
        return arrays

    def settings(self) -> dict[str, Any]:
        return {**super().settings(), "task": self.task}

    def log_epoch(self, **diagnosed: float) -> Row:
        return super().log_epoch(**self.measure(), **diagnosed)

    def there_and_back(self, count: int | None = None) -> dict[str, Array]:
        """Of the test pictures in [0, 1]: a, G(a), F(G(a)), b, F(b), G(F(b)), by these names."""
        found: dict[str, Array] = {"a": self.test.a[:count], "b": self.test.b[:count]}
        for x, first, name in (("a", "to_b", "G(a)"), ("b", "to_a", "F(b)")):
            found[name] = self.made(first, found[x])
        found["F(G(a))"], found["G(F(b))"] = self.made("to_a", found["G(a)"]), self.made("to_b", found["F(b)"])
        return found

    def made(self, name: str, pictures: Array) -> Array:
        """What the generator `name`, "to_b" or "to_a", makes of pictures in [0, 1], on the host."""
        return generate(self.networks[name], self.recipe, scaled(self.recipe, pictures, self.dtype))

    def measure(self) -> dict[str, float]:
        """MEASURED, by name, as things stand now."""
        found, test = self.there_and_back(), self.test
        measured = {
            "cycle_a": float(np.abs(found["F(G(a))"] - test.a).mean(dtype=np.float64)),
            "cycle_b": float(np.abs(found["G(F(b))"] - test.b).mean(dtype=np.float64)),
        }
        if test.labels_a is not None and test.labels_b is not None:
            for name, digits, labels in (("read", "G(a)", test.labels_a), ("read_back", "G(F(b))", test.labels_b)):
                measured[name] = float((features_and_digits(found[digits].astype(np.float32))[1] == labels).mean())
        return measured

    def sample(self) -> Array:
        """Rows of a, G(a), F(G(a)), b, F(b), G(F(b)), of the first test pictures."""
        found = self.there_and_back(min(DRAWN, len(self.test.a), len(self.test.b)))
        return side_by_side(*(found[name] for name in ("a", "G(a)", "F(G(a))", "b", "F(b)", "G(F(b))")))

    def draw_curves(self, path: Path) -> None:
        plots.save_losses(path, self.rows, scores=True)


# ---- a trained generator


class Translator:
    """One of the two generators in a checkpoint of an `UnpairedTrainer`, for pictures of any size it can halve.

    to: "b" or "a", the kind of pictures that it makes. Raises InputError if there is none that works.
    """

    def __init__(self, path: str | Path, to: str = "b") -> None:
        def part(recipe: Unpaired) -> Part:
            shape_in, shape_out = (recipe.shape_a, recipe.shape_b) if to == "b" else (recipe.shape_b, recipe.shape_a)
            return Part(f"to_{to}", recipe.to_b if to == "b" else recipe.to_a, shape_in, shape_out)

        self.network, self.recipe = load_network(path, Unpaired, part, lambda r: np.zeros((1, *part(r).input_shape)))

    def __call__(self, picture: Array) -> Array:
        """What becomes of one picture, (H, W, C) uint8: (H, W, D) in [0, 1].

        Raises ShapeError if a side is no multiple of 4, or it has other channels than those that G was trained on.
        """
        network = self.network
        if picture.shape[-1] != network.input_shape[-1]:
            raise ShapeError(
                f"is {describe_shape(picture.shape)}, but the network was trained on pictures in "
                f"{'grey' if network.input_shape[-1] == 1 else 'colour'}; convert it"
            )
        if picture.shape != network.input_shape:
            expect_multiples(picture.shape)
            trained, network = network, Network(network.layers, picture.shape, dtype=network.dtype)
            network.params[...], network.state[...] = trained.params, trained.state
            self.network = network
        return generate(network, self.recipe, scaled(self.recipe, picture[np.newaxis] / 255, network.dtype))[0]
