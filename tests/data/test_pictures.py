"""Pictures of every kind that cameras, editors and other programs write."""

import numpy as np
import pytest
from making import NO_PILLOW, colour, write_picture

from nanogan.data.images import image_shape_of, load_images, read_images
from nanogan.data.pictures import decode_picture
from nanogan.errors import InputError

Image = pytest.importorskip("PIL.Image", reason=NO_PILLOW)

C = colour()


# ---- one picture, of any kind


def ramp(height=28, width=28, top=255):
    """From black at the left to white at the right."""
    return np.broadcast_to(np.linspace(0, top, width), (height, width))


RAMP = ramp().astype(np.uint8)
KINDS = {
    "L": "a.png",
    "RGB": "a.png",
    "RGBA": "a.png",
    "LA": "a.png",
    "P": "a.png",
    "1": "a.png",
    "JPEG": "a.jpg",
    "CMYK": "a.jpg",
    "upper case": "A.JPEG",
    "BMP": "a.bmp",
    "GIF": "a.gif",
    "TIFF": "a.tif",
    "TIFF in upper case": "A.TIFF",
    "WebP": "a.webp",
    "PGM": "a.pgm",
    "no ending": "a",
    "a wrong ending": "a.jpg",
}


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_of_picture_is_read(tmp_path, kind):
    mode = kind if kind in ("L", "RGB", "RGBA", "LA", "P", "1", "CMYK") else None
    if kind == "1":
        expected = np.where(RAMP > 127, 255, 0)
        write_picture(tmp_path / "a.png", Image.fromarray(RAMP).point(lambda value: 255 * (value > 127)), "1")
    else:
        expected = RAMP
        options = {"format": "PNG"} if "ending" in kind else {}
        write_picture(tmp_path / KINDS[kind], RAMP, mode, **options)
    found = read_images(tmp_path, (28, 28, 1))
    np.testing.assert_allclose(found.pixels[0, ..., 0], expected, atol=4)
    assert image_shape_of(tmp_path) == (28, 28, 1), "the same red, green and blue everywhere is grey"
    in_colour = read_images(tmp_path, (28, 28, 3)).pixels
    np.testing.assert_allclose(in_colour[0], np.repeat(expected[..., None], 3, -1), atol=4)


GROUNDS = {"white": (255, 255, 255), "black": (0, 0, 0), "#ff8000": (255, 128, 0)}


@pytest.mark.parametrize("background", GROUNDS)
@pytest.mark.parametrize("kind", ["RGBA", "LA", "palette", "colour key", "palette with alpha", "WebP", "GIF"])
def test_transparent_pixels_show_the_background(tmp_path, kind, background):
    """Left half transparent, right half grey."""
    alpha = np.where(np.arange(28) < 14, 0, 255).astype(np.uint8) * np.ones((28, 1), np.uint8)
    value = np.where(np.arange(28) < 14, 0, 100).astype(np.uint8) * np.ones((28, 1), np.uint8)
    rgba = Image.fromarray(np.stack([value, value, value, alpha], axis=-1))
    if kind in ("RGBA", "WebP"):
        write_picture(
            tmp_path / ("a.png" if kind == "RGBA" else "a.webp"), rgba, **({"lossless": True} if kind == "WebP" else {})
        )
    elif kind == "LA":
        write_picture(tmp_path / "a.png", rgba, "LA")
    elif kind == "palette with alpha":
        write_picture(tmp_path / "a.png", rgba.quantize(4))
    elif kind == "palette" or kind == "GIF":
        palette = Image.fromarray((value > 0).astype(np.uint8)).convert("P")
        palette.putpalette([0, 0, 0, 100, 100, 100])
        write_picture(tmp_path / ("a.gif" if kind == "GIF" else "a.png"), palette, transparency=0)
    else:
        write_picture(tmp_path / "a.png", Image.fromarray(value), transparency=0)
    found = read_images(tmp_path, (28, 28, 3), background=background)
    np.testing.assert_allclose(found.pixels[0, :, 0], np.broadcast_to(GROUNDS[background], (28, 3)), atol=2)
    np.testing.assert_allclose(found.pixels[0, :, -1], 100, atol=2)
    assert found.description.count(f"transparency painted on {background} in 1") == 1
    assert (decode_picture(next(tmp_path.iterdir()), background)[:, -1] == found.pixels[0, :, -1]).all()


@pytest.mark.parametrize("ending", ["jpg", "png", "tif", "webp"])
@pytest.mark.parametrize("orientation, corner", [(1, (0, 0)), (3, (-1, -1)), (6, (0, -1)), (8, (-1, 0)), (2, (0, -1))])
def test_exif_orientation_is_obeyed(tmp_path, ending, orientation, corner):
    pixels = np.zeros((24, 32), np.uint8)
    pixels[:8, :8] = 255  # the top left corner of the file
    exif = Image.Exif()
    exif[0x0112] = orientation
    write_picture(tmp_path / f"a.{ending}", pixels, exif=exif, quality=95)
    turned = orientation in (6, 8)
    assert image_shape_of(tmp_path) == ((32, 24, 1) if turned else (24, 32, 1))
    found = read_images(tmp_path).pixels[0, ..., 0]
    assert found[corner] > 250 and (found > 127).sum() == 64
    assert (decode_picture(tmp_path / f"a.{ending}")[corner] > 250).all()


@pytest.mark.parametrize("kind", ["PNG", "TIFF", "big-endian TIFF"])
@pytest.mark.parametrize("top", [65535, 4095, 255, 1])
def test_16_bits_are_scaled_by_what_the_set_holds(tmp_path, kind, top):
    for number, share in enumerate((1, 0.5)):  # the second is darker, and stays so
        pixels = np.round(ramp(top=top) * share).astype(">u2" if kind.startswith("big") else np.uint16)
        write_picture(tmp_path / f"{number}.{'png' if kind == 'PNG' else 'tif'}", pixels)
    scaled = load_images(tmp_path, scale=(0, 1))
    np.testing.assert_allclose(scaled[0, ..., 0], np.round(ramp(top=top)) / top, atol=1e-4)
    np.testing.assert_allclose(scaled[1, ..., 0], np.round(ramp(top=top) * 0.5) / top, atol=1e-4)


@pytest.mark.parametrize("black, white", [(0, 1), (-1, 1), (0, 255)])
def test_floating_point_pictures(tmp_path, black, white):
    write_picture(tmp_path / "a.tif", (black + ramp() / 255 * (white - black)).astype(np.float32))
    np.testing.assert_allclose(load_images(tmp_path, scale=(0, 1))[0, ..., 0], ramp() / 255, atol=1e-5)


def test_16_bits_among_8_bits(tmp_path):
    write_picture(tmp_path / "a.png", RAMP)
    write_picture(tmp_path / "b.png", ramp(top=4095).astype(np.uint16))
    found = read_images(tmp_path)
    first, second = found.scaled((0, 1))
    np.testing.assert_allclose(first, second, atol=0.005)
    assert "white is 4095 in 1 of more than 8 bits a pixel" in found.description


def test_16_bits_on_a_background(tmp_path):
    write_picture(tmp_path / "a.png", ramp(14, 28, top=4000).astype(np.uint16))
    scaled = load_images(tmp_path, scale=(0, 1), fit="pad", background="#808080")
    np.testing.assert_allclose(scaled[0, :6], 128 / 255, atol=0.01)
    assert scaled.min() == 0 and scaled.max() == 1


def test_of_an_animation_the_first_frame_is_taken(tmp_path):
    first, second = Image.fromarray(RAMP), Image.fromarray(RAMP[:, ::-1].copy())
    first.save(tmp_path / "a.gif", save_all=True, append_images=[second])
    found = read_images(tmp_path)
    np.testing.assert_allclose(found.pixels[0, ..., 0], RAMP, atol=4)
    assert "the first frame of 1 animated ones" in found.description


FITS = {"crop": (255, 255), "pad": (0, 0), "squeeze": (0, 0)}


@pytest.mark.parametrize("fit", FITS)
@pytest.mark.parametrize("wide", [True, False])
def test_fits(tmp_path, fit, wide):
    """A picture whose middle square is white, and the rest black; padded, on red."""
    pixels = np.zeros((30, 90), np.uint8)
    pixels[:, 30:60] = 255
    pixels[25:, 45:] = 0
    write_picture(tmp_path / "a.png", pixels if wide else pixels.T.copy())
    found = read_images(tmp_path, (30, 30, 3), fit=fit, background="#ff0000").pixels[0]
    found = found if wide else found.swapaxes(0, 1)
    assert found[15, 15].tolist() == [255, 255, 255]
    assert found[15, 0].tolist() == ([255, 255, 255] if fit == "crop" else [0, 0, 0])
    assert found[0, 15].tolist() == ([255, 0, 0] if fit == "pad" else [255, 255, 255])


def test_a_large_photograph_is_the_same_from_a_jpeg(tmp_path):
    """Which is decoded at a fraction of its size: as near to the whole as JPEG itself."""
    smooth = np.asarray(Image.fromarray(C[0]).resize((1200, 900), Image.Resampling.BICUBIC))
    for folder, name in (("png", "a.png"), ("jpg", "a.jpg")):
        write_picture(tmp_path / folder / name, smooth)
    whole, drafted = (load_images(tmp_path / name, (64, 64, 3), scale=(0, 255)) for name in ("png", "jpg"))
    assert np.abs(whole - drafted).mean() < 2


@pytest.mark.parametrize("options, message", [
    (dict(fit="stretch"), "fit 'stretch' is unknown: choose one of crop, pad, squeeze"),
    (dict(background="pink"), "background 'pink' is no colour: choose white, black or #rrggbb"),
])  # fmt: skip
def test_unknown_options_are_refused(tmp_path, options, message):
    with pytest.raises(InputError, match=message):
        load_images(tmp_path, **options)
