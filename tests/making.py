"""Data sets as people have them, made for a test: IDX files, folders of pictures."""

import gzip
import struct

import numpy as np

NO_PILLOW = "Pillow isn't needed on a machine that only tests a GPU"


def grey(count=12, height=28, width=28, *, seed=0):
    """Pictures (N, H, W), uint8, that use all of 0..255."""
    return np.random.default_rng(seed).integers(0, 256, (count, height, width), dtype=np.uint8)


def colour(count=12, height=28, width=28):
    return np.random.default_rng(1).integers(0, 256, (count, height, width, 3), dtype=np.uint8)


def write_idx(path, array, *, zipped=False, claim=None):
    """An IDX file of a uint8 array; `claim` is a shape to put in the header instead of the true one."""
    header = bytes((0, 0, 8, array.ndim)) + struct.pack(f">{array.ndim}I", *(claim or array.shape))
    content = header + array.tobytes()
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(gzip.compress(content) if zipped else content)


def write_picture(path, pixels, mode=None, **options):
    """A picture of pixels (H, W) or (H, W, C), or of a Pillow image."""
    from PIL import Image

    picture = Image.fromarray(pixels) if isinstance(pixels, np.ndarray) else pixels
    path.parent.mkdir(parents=True, exist_ok=True)
    (picture.convert(mode) if mode else picture).save(path, **options)


def labels_of(images):
    """The labels of data that have some."""
    assert images.labels is not None
    return images.labels.tolist()


def names_of(images):
    """The names of the classes of data that have some."""
    assert images.class_names is not None
    return images.class_names
