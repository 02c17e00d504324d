"""Pictures in files: decoded as they were meant to be seen, upright and on a ground, and made to fit a shape.

What Pillow decodes is grey or colour with 8 bits a channel, or grey with more: such a picture stays floating point, in
the units of its file, until the whole set has been seen (`pixels.py`). Next: `folders.py`, which pictures are read.
"""

from __future__ import annotations

import functools
import logging
import math
import re
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import numpy as np

from ..backend import Array, Shape
from ..errors import InputError
from ..io.files import one_line, open_regular
from .pixels import is_grey, with_channels

if TYPE_CHECKING:
    from PIL.Image import Image

PICTURE_ENDINGS = tuple(".png .jpg .jpeg .jpe .jfif .bmp .gif .tif .tiff .webp .ppm .pgm .pbm .pnm".split())
CAMERA_ENDINGS = tuple(".heic .heif .avif .jp2 .dng .cr2 .nef .arw".split())
"""Of pictures that can't be read: they count as broken, so that they aren't left out unseen."""
FORMATS = ("PNG", "JPEG", "BMP", "GIF", "TIFF", "WEBP", "PPM")
"""By a file's content, whatever its name. No other decoder of Pillow's is ever started."""
SIGNATURES = (b"\x89PNG", b"\xff\xd8\xff", b"GIF8", b"II*\x00", b"MM\x00*", b"RIFF")
"""First bytes of a picture: how one is known whose name has no ending."""
MOST_PIXELS = 2**25
"""Pixels of a picture that may be decoded: 8192 x 4096, which take 128 MiB."""
COLOURS = {"white": (255, 255, 255), "black": (0, 0, 0)}
FITS = ("crop", "pad", "squeeze")


def is_colour(text: str) -> bool:
    """Whether it is "white", "black" or "#rrggbb"."""
    return text in COLOURS or re.fullmatch("#[0-9a-fA-F]{6}", text) is not None


@dataclass(frozen=True)
class Fitting:
    """How pictures of another shape become those that are wanted.

    fit: "crop" (fill the shape, cut off what stands out at both sides), "pad" (add ground), "squeeze" (distort).
    background: "white", "black" or "#rrggbb": what lies below transparent pixels and beside padded pictures.
    """

    fit: str = "crop"
    background: str = "white"

    def __post_init__(self) -> None:
        if self.fit not in FITS:
            raise InputError(f"fit {self.fit!r} is unknown: choose one of {', '.join(FITS)}")
        if not is_colour(self.background):
            raise InputError(f"background {self.background!r} is no colour: choose white, black or #rrggbb")

    @property
    def ground(self) -> tuple[int, int, int]:
        """The background's red, green and blue, each in 0..255."""
        if self.background in COLOURS:
            return COLOURS[self.background]
        red, green, blue = bytes.fromhex(self.background[1:])
        return red, green, blue

    @property
    def grey(self) -> int:
        """How bright the background is, in 0..255, as Pillow makes grey of colour (ITU-R 601-2)."""
        red, green, blue = self.ground
        return (red * 19595 + green * 38470 + blue * 7471 + 0x8000) >> 16

    def fitted(self, pixels: Array, shape: Shape, black: float, white: float) -> Array:
        """An array of pictures (N, H, W, C), C = 1 or 3, made to fit `shape`."""
        from PIL import Image

        height, width, channels = shape
        pixels = with_channels(pixels, channels)
        if pixels.shape[1:] == shape:
            return pixels
        if pixels.dtype != np.uint8:
            pixels = pixels.astype(np.float32)
        fitted = np.empty((len(pixels), *shape), pixels.dtype)
        ground = [self.grey] if channels == 1 else self.ground
        for channel in range(channels):
            below = black + (white - black) * ground[channel] / 255
            below = round(below) if pixels.dtype == np.uint8 else below
            for picture, found in zip(fitted[..., channel], pixels[..., channel], strict=True):
                picture[...] = self.resized(Image.fromarray(np.ascontiguousarray(found)), (width, height), below)
        if pixels.dtype != np.uint8:  # bicubic interpolation swings over
            fitted.clip(black, white, out=fitted)
        return fitted

    def resized(self, picture: Image, size: tuple[int, int], ground: float | tuple[int, ...]) -> Image:
        """A picture of (width, height) pixels; `ground` is in the picture's own units."""
        from PIL import Image, ImageOps

        bicubic = Image.Resampling.BICUBIC
        if picture.size == size:
            return picture
        if self.fit == "squeeze":
            return picture.resize(size, bicubic)
        if self.fit == "crop":
            return ImageOps.fit(picture, size, bicubic)
        return ImageOps.pad(picture, size, bicubic, color=ground)  # type: ignore[arg-type]


# ---- one picture

Result = TypeVar("Result")


def reading(path: Path, use: Callable[[Image], Result]) -> Result:
    """What `use` makes of a picture whose header has been read. All that goes wrong with it is an InputError."""
    from PIL import Image

    try:
        with open_regular(path) as file:
            picture = Image.open(file, formats=FORMATS)
            if math.prod(picture.size) > MOST_PIXELS:
                raise ValueError(f"its {picture.width} x {picture.height} pixels are too many; make it smaller")
            return use(picture)
    except InputError:
        raise
    except FileNotFoundError:
        raise InputError(f"{one_line(path)}: there is no such file") from None
    except Image.UnidentifiedImageError:
        reason: object = "is it one? Repair it, or convert it to PNG"
    except Exception as error:  # on damaged pictures Pillow raises anything from SyntaxError to struct.error
        reason = getattr(error, "strerror", None) or error
    raise InputError(f"{one_line(path)}: cannot be read as a picture ({one_line(reason)})")


def is_wide(mode: str) -> bool:
    """Whether Pillow's mode is one of pictures with more than 8 bits a pixel; all of them are grey."""
    return mode.startswith("I") or mode == "F"


@dataclass
class Decoder:
    """Decodes pictures, and keeps what is worth saying about them all: see `notes`."""

    fitting: Fitting
    painted: int = 0
    animated: int = 0
    fractions: bool = False
    sizes: set[tuple[int, int]] = field(default_factory=set)

    def decode(self, path: Path, shape: Shape | None = None) -> Array:
        """A picture as (H, W, C): uint8, or float32 in the file's units if it is grey with more than 8 bits a pixel.

        shape: what it is made to fit; None keeps its size, and one channel if it is grey, else three.
        Raises InputError if it is damaged, or too large to be taken into memory unseen.
        """
        return reading(path, functools.partial(self._decoded, shape=shape))

    def _decoded(self, picture: Image, shape: Shape | None) -> Array:
        if getattr(picture, "is_animated", False) and picture.format != "MPO":  # which has a phone's second view
            self.animated += 1
        if shape is not None:
            self.sizes.add(picture.size)
            picture.draft(None, (2 * shape[1], 2 * shape[0]))  # a JPEG comes at half or quarter size
        picture.load()
        if not picture.info.keys().isdisjoint(WITH_ORIENTATION):
            picture = upright(picture)
        picture = self._opaque(picture)
        if is_wide(picture.mode):
            return self._of_many_bits(picture, shape)
        channels = shape[2] if shape else 1 if picture.mode in ("1", "L") else 3
        mode = "L" if channels == 1 else "RGB"
        picture = picture if picture.mode == mode else picture.convert(mode)
        if shape is not None and picture.size != (shape[1], shape[0]):
            ground = self.fitting.grey if channels == 1 else self.fitting.ground
            picture = self.fitting.resized(picture, (shape[1], shape[0]), ground)
        return np.asarray(picture).reshape(picture.height, picture.width, channels)

    def _opaque(self, picture: Image) -> Image:
        """The picture, painted on the ground if any of it is transparent."""
        from PIL import Image

        if picture.mode not in ("LA", "La", "PA", "RGBA", "RGBa") and "transparency" not in picture.info:
            return picture
        self.painted += 1
        painted = Image.new("RGBA", picture.size, self.fitting.ground)
        painted.alpha_composite(picture.convert("RGBA"))
        return painted

    def _of_many_bits(self, picture: Image, shape: Shape | None) -> Array:
        """A picture of 16 or 32 bits a pixel, which `convert` would clip at 255. Padding is NaN until its units are
        known."""
        from PIL import Image

        pixels = np.asarray(picture).astype(np.float32)
        self.fractions |= picture.mode == "F"
        if not np.isfinite(pixels).all():
            raise InputError("holds NaN or infinity")
        if shape is None:
            return pixels[..., np.newaxis]
        resized = self.fitting.resized(Image.fromarray(pixels), (shape[1], shape[0]), math.nan)
        clipped = np.asarray(resized).clip(pixels.min(), pixels.max())  # bicubic interpolation swings over
        return np.broadcast_to(clipped[..., np.newaxis], shape)

    def notes(self) -> Iterator[str]:
        if self.painted:
            yield f"transparency painted on {self.fitting.background} in {self.painted:,}"
        if self.animated:
            yield f"the first frame of {self.animated:,} animated ones"


def decode_picture(path: Path, background: str = "white") -> Array:
    """One picture as it is: uint8 (H, W, C), grey (C = 1) or colour (3), transparency painted on `background`.

    Of 16 bits a pixel, the upper 8 are kept. Raises InputError if it is damaged or too large.
    """
    with quiet_pillow():
        pixels = Decoder(Fitting(background=background)).decode(path)
    return pixels if pixels.dtype == np.uint8 else (pixels.clip(0, 65535) / 257).astype(np.uint8)


@contextmanager
def quiet_pillow() -> Iterator[None]:
    """Without Pillow's warnings, of a palette's transparency and the like: the pixels are what counts."""
    log = logging.getLogger("PIL")
    level = log.level
    try:
        log.setLevel(logging.CRITICAL)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        log.setLevel(level)


def probe(file: Path, *, look_for_colour: bool) -> Shape:
    """(height, width, channels) of a picture, from its header if that says enough."""
    from PIL import Image

    def look(picture: Image.Image) -> Shape:
        (width, height), mode = picture.size, picture.mode
        # Of a TIFF that lies on its side, Pillow has turned the size already.
        if picture.format != "TIFF" and picture.getexif().get(ORIENTATION, 1) >= 5:
            height, width = width, height
        if mode in ("1", "L", "LA") or is_wide(mode):
            return height, width, 1
        if not look_for_colour:
            return height, width, 3
        picture.thumbnail((512, 512), Image.Resampling.NEAREST)  # enough to see colour, and little memory
        return height, width, 1 if is_grey(np.asarray(picture.convert("RGB"))) else 3

    with quiet_pillow():
        return reading(file, look)


def upright(picture: Image) -> Image:
    """The picture as it was meant to be seen, if its camera was held otherwise."""
    from PIL import ImageOps

    return ImageOps.exif_transpose(picture)


ORIENTATION = 0x0112
"""EXIF's tag for how a camera was held: 5 to 8 are quarter turns."""
WITH_ORIENTATION = {"exif", "xmp", "Raw profile type exif", "XML:com.adobe.xmp"}
"""What a picture is said to have, by Pillow, if it may have an orientation; a TIFF Pillow turns by itself."""
