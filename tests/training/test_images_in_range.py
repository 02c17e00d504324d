"""A trainer takes only images whose values its generator can draw."""

import re

import numpy as np
import pytest
from tiny import IMAGES, tiny_trainer

from nanogan.errors import InputError

OUT_OF_RANGE = {
    "0..255": ((IMAGES + 1) * 127.5, "found 0 to 255"),
    "uint8": (((IMAGES + 1) * 127.5).astype(np.uint8), "found 0 to 255"),
    "normalised": ((IMAGES - 0.1) / 0.3, "found -3.66667 to 3"),
    "below": (IMAGES - 0.01, "found -1.01 to 0.99"),
}


@pytest.mark.parametrize("case", OUT_OF_RANGE)
def test_images_beyond_the_recipes_range_are_refused(case):
    images, found = OUT_OF_RANGE[case]
    message = f"images: expected values in -1..1, as recipe tiny draws them, {found}; scale them with"
    with pytest.raises(InputError, match=re.escape(message)):
        tiny_trainer(images=images)


def test_a_rounding_error_is_taken():
    tiny_trainer(images=IMAGES * np.float32(1 + 1e-6), steps=1)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_what_is_not_finite_is_named(value):
    images = IMAGES.copy()
    images[7, 0, 0, 0] = value
    with pytest.raises(InputError, match="image number 7, counted from 0, holds NaN or infinity"):
        tiny_trainer(images=images)
