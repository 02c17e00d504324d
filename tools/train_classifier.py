"""Train the feature network of FD-mnist, and write its weights.

    python tools/train_classifier.py            about 5 minutes on two CPU cores; writes nanogan/metrics/fd_mnist.npz
    python tools/train_classifier.py --out w.npz --images 6000 --epochs 2

Adam on all 60,000 training images, moved by up to 2 pixels; the test images are looked at once, after the last epoch.
The same seed on the same machine gives the same file; another BLAS, or another number of threads, rounds differently
and so gives other weights. That is why the file is shipped and hashed. To replace it, put the SHA-256 that this prints
into `nanogan/metrics/classifier.py`, and know that every FD-mnist figure then changes.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import numpy as np

from nanogan.data.images import load_mnist
from nanogan.metrics.classifier import (
    WEIGHTS,
    feature_network,
    load_feature_network,
    moved,
    predict,
    save_weights,
    train_classifier,
)


def main() -> None:
    parser = argparse.ArgumentParser(description="Train the feature network of FD-mnist.")
    parser.add_argument("--out", type=Path, default=WEIGHTS, help="the .npz file to write (default: %(default)s)")
    parser.add_argument("--epochs", type=int, default=12, help="passes over the training images (default: %(default)s)")
    parser.add_argument("--images", type=int, default=60_000, help="train on the first so many (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=0, help="of weights, order, moves, dropout (default: %(default)s)")
    args = parser.parse_args()
    images, labels = load_mnist("train", scale=(0, 1))
    test, test_labels = load_mnist("test", scale=(0, 1))
    rng = np.random.default_rng(args.seed)
    network = feature_network(rng)
    print(f"{network.param_count:,} parameters")
    start = time.perf_counter()
    images, labels = images[: args.images], labels[: args.images]
    train_classifier(network, images, labels, epochs=args.epochs, lr=2e-3, rng=rng, change=moved, log=print)
    print(f"trained in {time.perf_counter() - start:.0f} s")
    sha256 = save_weights(network, args.out)
    accuracy = (predict(load_feature_network(args.out, sha256), test) == test_labels).mean()
    print(f"test accuracy, in half precision: {100 * accuracy:.2f} %")
    print(f"{args.out}: {args.out.stat().st_size:,} bytes, SHA-256 {sha256}")


if __name__ == "__main__":
    main()
