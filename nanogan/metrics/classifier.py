"""The classifier whose features FD-mnist is measured in, and how any small classifier of digits is trained here.

There is no agreed feature network for MNIST: Inception, which FID uses, doesn't know digits. So this is a small
convolutional network made of nanogan's own layers, trained once by `tools/train_classifier.py`, frozen, and
shipped as `fd_mnist.npz`. Its SHA-256 is checked when it is loaded, on first use: two figures called FD-mnist always
come from the same features. Its activations below the last layer are the features; its last layer tells the digit.
"""

from __future__ import annotations

import hashlib
import io
import math
from collections.abc import Callable
from functools import cache
from pathlib import Path

import numpy as np

from ..backend import Array
from ..conv import Conv2d
from ..errors import InputError, ShapeError
from ..layers import Dropout, Linear, ReLU
from ..losses import CrossEntropy
from ..network import Network, Sequential
from ..norm import BatchNorm
from ..optim import Adam
from ..reshape import Flatten
from ..settings import generator

WEIGHTS = Path(__file__).parent / "fd_mnist.npz"
WEIGHTS_SHA256 = "d4e0a524f60c1502765ee56e5790462375a445d9781d0db5e9964496b165a2f3"
N_FEATURES = 64
_CHUNK = 100  # images at a time through the network: their patches take 17 MB


def feature_network(rng: np.random.Generator | int | None = None, *, channels: int = 1) -> Network:
    """The untrained network: (N, 28, 28, channels) in [0, 1] -> 10 logits; 64 features, >= 0, below the last layer."""
    trunk = [
        *(Conv2d(channels, 24, 5, stride=2, padding=2), BatchNorm(24), ReLU()),  # 14 x 14
        *(Conv2d(24, 48, 5, stride=2, padding=2), BatchNorm(48), ReLU()),  # 7 x 7
        *(Conv2d(48, 64, 3, stride=2, padding=1), BatchNorm(64), ReLU()),  # 4 x 4
        *(Flatten(), Linear(1024, N_FEATURES), BatchNorm(N_FEATURES), ReLU()),
    ]
    return Network([Sequential(trunk), Dropout(0.5), Linear(N_FEATURES, 10)], (28, 28, channels), rng=rng)


def train_classifier(
    network: Network,
    images: Array,
    labels: Array,
    *,
    epochs: int,
    lr: float,
    rng: np.random.Generator | int,
    batch: int = 100,
    change: Callable[[Array, np.random.Generator], Array] | None = None,
    log: Callable[[str], None] | None = None,
) -> None:
    """Train `network` by cross-entropy: Adam, its step size falling from lr to 0 along half a cosine.

    images: (N, ...) like the network's input; labels: (N,) integers. change: what each batch goes through, anew every
    time, such as `moved`. A partial last batch is dropped. log: gets one line an epoch.
    """
    n_classes, rng = network.shape[0], generator(rng)
    if len(labels) != len(images) or len(images) < batch or not 0 <= labels.min() <= labels.max() < n_classes:
        raise InputError(
            f"classifier: expected at least {batch} images and a label in 0 ... {n_classes - 1} for each, got "
            f"{len(images)} images and {len(labels)} labels"
        )
    loss, optimizer = CrossEntropy().bind(network.backend, network.dtype), Adam(lr=lr).bind(network)
    steps = epochs * (len(images) // batch)
    for epoch in range(epochs):
        total = 0.0
        order = rng.permutation(len(images))
        for start in range(0, len(images) - batch + 1, batch):
            rows = order[start : start + batch]
            x = network.backend.asarray(change(images[rows], rng) if change else images[rows])
            t = network.backend.asarray(labels[rows])
            logits = network.forward(x)
            total += float(loss.forward(logits, t))
            network.backward_params(loss.backward(logits, t))
            optimizer.lr = lr * (1 + math.cos(math.pi * optimizer.t / steps)) / 2
            optimizer.step()
        if log:
            log(f"epoch {epoch + 1} of {epochs}: loss {total / (len(images) // batch):.4f}")


def moved(images: Array, rng: np.random.Generator, shift: int = 2) -> Array:
    """Images (N, H, W, C), each moved by -shift ... shift whole pixels along both axes; zeros move in."""
    n, height, width, _ = images.shape
    dy, dx = rng.integers(0, 2 * shift + 1, size=(2, n))
    padded = np.pad(images, ((0, 0), (shift, shift), (shift, shift), (0, 0)))
    windows = np.lib.stride_tricks.sliding_window_view(padded, (height, width), axis=(1, 2))
    return np.ascontiguousarray(windows[np.arange(n), dy, dx].transpose(0, 2, 3, 1))  # (N, C, H, W) before


def predict(network: Network, images: Array) -> Array:
    """The class with the largest logit for each image: (N, ...) -> (N,) integers."""
    classes = np.empty(len(images), dtype=np.int64)
    for start in range(0, len(images), _CHUNK):
        x = network.backend.asarray(images[start : start + _CHUNK])
        classes[start : start + _CHUNK] = network.backend.to_host(network.forward(x, training=False).argmax(axis=1))
    return classes


# ---- the frozen network


def save_weights(network: Network, path: Path) -> str:
    """Write the weights in half precision; returns the file's SHA-256. The same weights give the same bytes."""
    halves = {name: array.astype(np.float16) for name, array in network.state_dict().items()}
    file = io.BytesIO()
    np.savez(file, allow_pickle=False, **halves)
    path.write_bytes(file.getvalue())
    return hashlib.sha256(file.getvalue()).hexdigest()


@cache
def load_feature_network(path: Path = WEIGHTS, sha256: str = WEIGHTS_SHA256) -> Network:
    """The trained network, read on the first call. Raises InputError if the file isn't the one that was hashed."""
    try:
        content = path.read_bytes()
    except OSError as error:
        raise InputError(f"{path}: {error.strerror}; reinstall nanogan, the file belongs to it") from None
    if hashlib.sha256(content).hexdigest() != sha256:
        raise InputError(f"{path}: not the weights that FD-mnist is defined by (SHA-256 differs); reinstall nanogan")
    network = feature_network(np.random.default_rng(0))
    with np.load(io.BytesIO(content), allow_pickle=False) as arrays:
        network.load_state_dict(dict(arrays))
    return network


def features_and_digits(images: Array, network: Network | None = None) -> tuple[Array, Array]:
    """What a network sees in images (N, 28, 28, C), float32 in [0, 1]: features (N, 64), digits (N,).

    network: a `feature_network` of yours; None: the frozen one, C = 1.
    """
    network = network or load_feature_network()
    if images.shape[1:] != network.input_shape:
        raise ShapeError(
            f"expected digits of shape (N, {', '.join(map(str, network.input_shape))}), got {images.shape}"
        )
    trunk, _, last = network.layers
    features = np.empty((len(images), N_FEATURES), dtype=np.float32)
    digits = np.empty(len(images), dtype=np.int64)
    for start in range(0, len(images), _CHUNK):
        rows = slice(start, start + _CHUNK)
        features[rows] = trunk.forward(images[rows], training=False)
        digits[rows] = last.forward(features[rows], training=False).argmax(axis=1)
    return features, digits
