"""Train a GAN on points of the plane, in 8 heaps on a ring or 25 on a grid, and count the heaps (modes) that it hits.

    python examples/ring.py                              a packed GAN on the ring, about a minute
    python examples/ring.py --packing 1                  the plain GAN, to compare
    python examples/ring.py --mixture grid --packing 4   25 modes, packs of four
    python examples/ring.py --packing 1 --setting penalties     pairs, R1 and R2 instead of packs (docs/stability.md)

The results are in runs/MIXTURE-PACKING: modes.png, the generated points at four moments and the way that D tells them
to go, and result.json, the counts.

A plain discriminator judges one sample at a time. It can't fault a generator that draws one mode over and over: each of
its samples might be real. Packed, D judges several at once, all real or all generated, and real packs whose points all
come from one mode are rare. In the code that is one line, `Pack(packing)`, and the width of the layer after it.
Mixtures, networks and the setting `published` are those of Lin et al. 2018 (PacGAN), section 4.1.
"""

import os
import signal

if __name__ == "__main__":
    signal.signal(signal.SIGINT, lambda *_: os._exit(130))  # Ctrl-C while NumPy is loaded: no traceback

import argparse
import json
import sys
import time
from pathlib import Path
from typing import NamedTuple

import numpy as np

from nanogan import (
    Adam,
    BatchNorm,
    BCEWithLogits,
    FanIn,
    Layer,
    LeakyReLU,
    Linear,
    Maxout,
    Network,
    Normal,
    Pack,
    Relativistic,
    ReLU,
    discriminator_gradients,
    generator_gradients,
    get_backend,
    pair_generator_gradients,
    zero_centred_penalty,
)
from nanogan.backend import BACKENDS, Array, Backend
from nanogan.commands.arguments import Parser, choose_seed, errors_in_one_line, file_path, positive_int, seed
from nanogan.errors import InputError
from nanogan.initializers import Init
from nanogan.io.files import replacing
from nanogan.io.plots import Scene, save_scenes
from nanogan.io.streams import worth_a_line
from nanogan.losses import Loss
from nanogan.metrics.mixtures import GRID, RING, Modes, modes

MIXTURES = {"ring": RING, "grid": GRID}
PUBLISHED = {  # by mixture and packing, Lin et al. 2018, table 1: mean +- standard error of 10 runs
    ("ring", 1): ("6.3 +- 0.5", "98.2 +- 0.2 %"),
    ("ring", 2): ("7.9 +- 0.1", "95.6 +- 2.0 %"),
    ("ring", 4): ("7.8 +- 0.1", "95.9 +- 1.4 %"),
    ("grid", 1): ("17.3 +- 0.8", "94.8 +- 0.7 %"),
    ("grid", 2): ("23.8 +- 0.7", "91.3 +- 0.8 %"),
    ("grid", 4): ("24.8 +- 0.2", "93.6 +- 0.6 %"),
}
BATCH = 100  # packs a step, as published
COUNTED = 2500  # samples in which modes are counted, as published


# ---- networks


def generator(width: int, init: Init) -> list[Layer]:
    layers: list[Layer] = []
    for n_in in (2, width, width, width):
        # no bias: BatchNorm takes the mean away again
        layers += [Linear(n_in, width, bias=False, init=init), BatchNorm(width), ReLU()]
    return [*layers, Linear(width, 2, init=init)]


def discriminator(width: int, init: Init, packing: int) -> list[Layer]:
    return [
        Pack(packing),  # the one line
        Maxout(2 * packing, width, 5, init=init),
        Maxout(width, width, 5, init=init),
        Maxout(width, width, 5, init=init),
        Linear(width, 1, init=init),
    ]


def penalised(width: int, packing: int) -> list[Layer]:
    """A discriminator for pairs, R1 and R2."""
    hidden = [layer for n in (2 * packing, width, width) for layer in (Linear(n, width), LeakyReLU())]
    return [Pack(packing), *hidden, Linear(width, 1)]


class Setting(NamedTuple):
    """Widths of the hidden layers, first weights, optimizers, and the length of a run.

    The small one is ours: a third of the width, and a D that learns at a tenth of G's rate. In the published one they
    learn at the same; raised to 1e-3, for a short run, D got ahead, and strings of points stayed between the modes.
    """

    G_width: int
    D_width: int
    init: Init
    G_optimizer: Adam
    D_optimizer: Adam
    steps: int
    settle: bool
    """Whether both learning rates fall to 0, linearly, and G is averaged over about a twentieth of the run: the modes'
    places swing around the right ones."""
    gamma: float = 0.0
    """Of R1 and R2 at first; it falls to 0 with the learning rates, because a D that tells near points apart has to be
    steep in the end. Above 0, D and G compare pairs."""
    noise: float = 1.0
    """Standard deviation of z. With 4, G need not learn to be as steep between the modes as it has to be."""


SETTINGS = {
    "small": Setting(
        G_width=128,
        D_width=64,
        init=FanIn(),
        G_optimizer=Adam(lr=4e-3, betas=(0.5, 0.999)),
        D_optimizer=Adam(lr=4e-4, betas=(0.5, 0.999)),
        steps=10_000,
        settle=True,
    ),
    "published": Setting(
        G_width=400,
        D_width=200,
        init=Normal(0.02),
        G_optimizer=Adam(lr=1e-4, betas=(0.8, 0.999)),
        D_optimizer=Adam(lr=1e-4, betas=(0.8, 0.999)),
        steps=400_000,
        settle=False,
    ),
    "penalties": Setting(
        G_width=128,
        D_width=128,
        init=FanIn(),
        G_optimizer=Adam(lr=3e-3, betas=(0.0, 0.99)),
        D_optimizer=Adam(lr=3e-3, betas=(0.0, 0.99)),
        steps=90_000,
        settle=True,
        gamma=0.02,
        noise=4.0,
    ),
}


def networks(setting: Setting, packing: int) -> tuple[list[Layer], list[Layer]]:
    """The layers of G and of D."""
    G = generator(setting.G_width, setting.init)
    if setting.gamma:
        return G, penalised(setting.D_width, packing)
    return G, discriminator(setting.D_width, setting.init, packing)


# ---- training


def train(args: argparse.Namespace, backend: Backend) -> list[Scene]:
    """Four moments of a whole run, most of them early; the last is its end.

    As in the published code, both networks move at once. Real points are drawn afresh; there, they were 100,000.
    """
    mixture, setting, rng = MIXTURES[args.mixture], SETTINGS[args.setting], np.random.default_rng(args.seed)
    G_layers, D_layers = networks(setting, args.packing)
    G, D = (Network(layers, 2, backend=backend, rng=rng) for layers in (G_layers, D_layers))
    averaged = Network(G_layers, 2, backend=backend)
    G_optimizer, D_optimizer = setting.G_optimizer.bind(G), setting.D_optimizer.bind(D)
    loss = (Relativistic() if setting.gamma else BCEWithLogits()).bind(backend, np.float32)

    unit = float(mixture.centres.std()) if setting.gamma else 1.0  # of what both networks see; slopes count per unit

    def noise(count: int) -> Array:
        return backend.asarray(setting.noise * rng.standard_normal((count, 2), dtype=np.float32))

    batch, fixed_noise, scenes = BATCH * args.packing, noise(COUNTED), []
    moments = {-(-args.steps // part) for part in (64, 16, 4, 1)}
    for step in range(1, args.steps + 1):
        real = backend.asarray((mixture.sample(batch, rng) / unit).astype(np.float32))
        fake = G.forward(noise(batch))
        both_gradients(G, D, loss, real, fake, gamma=setting.gamma * (1 - step / args.steps))
        D_optimizer.step()
        G_optimizer.step()
        if setting.settle:
            G_optimizer.lr = setting.G_optimizer.lr * (1 - step / args.steps)
            D_optimizer.lr = setting.D_optimizer.lr * (1 - step / args.steps)
        follow(averaged, G, 1.0 if step <= args.steps // 2 or not setting.settle else min(20 / args.steps, 1.0))
        if step in moments:
            points, pushes = look(averaged, D, loss, fixed_noise)
            points *= unit
            found = modes(mixture, points)
            title = f"step {step:,}: {found.hit} of {len(mixture.centres)} modes, {100 * found.high_quality:.1f} %"
            scenes.append(Scene(title, points, pushes))
            if not args.quiet:
                print(title, flush=True)
    return scenes


def both_gradients(G: Network, D: Network, loss: Loss, real: Array, fake: Array, *, gamma: float) -> None:
    """Of D, with the penalties R1 and R2 if gamma isn't 0, and of G."""
    discriminator_gradients(D, loss, real, fake)
    if gamma:
        zero_centred_penalty(D, real, gamma)
        zero_centred_penalty(D, fake, gamma)
    if loss.compares:
        pair_generator_gradients(G, D, loss, real, fake)
    else:
        generator_gradients(G, D, loss, fake)


def follow(average: Network, G: Network, rate: float) -> None:
    """Move weights and running statistics towards G's by `rate`; 1 copies them."""
    average.params += rate * (G.params - average.params)
    average.state += rate * (G.state - average.state)


def look(G: Network, D: Network, loss: Loss, z: Array) -> tuple[Array, Array]:
    """What G makes of z, (N, 2), and the way that D tells each of these points to go, -d(loss of G)/d(point)."""
    points = G.forward(z, training=False)
    pushes = D.backward_input(loss.backward(D.forward(points), 1.0))
    return G.backend.to_host(points).copy(), -G.backend.to_host(pushes)


# ---- the command


def parse_arguments() -> argparse.Namespace:
    parser = Parser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--mixture", choices=MIXTURES, default="ring", help="8 or 25 modes (default: ring)")
    parser.add_argument(
        "--packing", type=int, choices=(1, 2, 4), default=2, help="samples that D judges at once (default: 2)"
    )
    parser.add_argument(
        "--setting", choices=SETTINGS, default="small", help="small, for minutes (default), or as published, for hours"
    )
    parser.add_argument("--steps", type=positive_int, metavar="N", help="training steps (default: the setting's)")
    parser.add_argument("--backend", choices=BACKENDS, default="numpy", help="where to compute (default: numpy)")
    parser.add_argument("--seed", type=seed, metavar="N", help="makes the run repeatable (default: chosen and printed)")
    parser.add_argument(
        "--out", type=file_path, metavar="DIR", help="folder for the results (default: runs/MIXTURE-PACKING)"
    )
    parser.add_argument("--quiet", action="store_true", help="print nothing but errors")
    return parser.parse_args()


def results_folder(path: Path) -> Path:
    """The folder, made. Raises InputError if it can't be, or holds the results of another run."""
    if (path / "result.json").exists():
        raise InputError(f"{path}: already holds a run; choose another folder with --out")
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"{path}: cannot be written ({error.strerror or error}); choose another --out") from None
    return path


def table(args: argparse.Namespace, found: Modes) -> str:
    """What was found, beside the published figures and the best there can be."""
    count = len(MIXTURES[args.mixture].centres)
    rows = [("this run", str(found.hit), f"{100 * found.high_quality:.1f} %")]
    rows += [
        (f"published, {'plain GAN' if packing == 1 else f'PacGAN{packing}'}", *PUBLISHED[args.mixture, packing])
        for packing in sorted({1, args.packing})
    ]
    rows += [("a perfect sampler", str(count), "98.9 %")]
    return "\n".join(f"{a:30}{b:>14}{c:>16}" for a, b, c in [("", f"modes of {count}", "high quality"), *rows])


def main(args: argparse.Namespace) -> int:
    backend = get_backend(args.backend)
    folder = results_folder(Path(args.out or f"runs/{args.mixture}-{args.packing}"))
    args.steps = args.steps or SETTINGS[args.setting].steps
    if args.seed is None:
        args.seed = choose_seed()
        print(f"seed {args.seed}", flush=True)
    started = time.perf_counter()
    scenes = train(args, backend)
    seconds = round(time.perf_counter() - started, 1)

    mixture = MIXTURES[args.mixture]
    found = modes(mixture, scenes[-1].points)
    result = {**vars(args), "modes": found.hit, "high_quality": round(found.high_quality, 4), "seconds": seconds}
    with replacing(folder / "result.json") as file:
        file.write((json.dumps(result, indent=2) + "\n").encode())
    with worth_a_line(folder / "modes.png"):
        save_scenes(folder / "modes.png", scenes, mixture.centres, 3 * mixture.sigma)
    if not args.quiet:
        print(f"\n{table(args, found)}\n\n{folder / 'modes.png'} shows the points, and where D tells them to go")
    return 0


if __name__ == "__main__":
    with errors_in_one_line("ring.py", smaller=""):
        sys.exit(main(parse_arguments()))
