"""Decoding of images (PNG, JPEG, ...) to arrays of one shape."""

import contextlib
import io
import warnings
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ltr.core.plural import number_of
from ltr.data.limits import require_memory
from ltr.errors import reason

SUFFIXES = frozenset(
    (".png", ".jpg", ".jpeg", ".bmp", ".gif", ".tif", ".tiff", ".webp", ".ppm", ".pgm", ".pbm")
)

_ORIENTATION = 0x0112
_ON_THEIR_SIDE = (5, 6, 7, 8)


class Encoded(NamedTuple):
    """Encoded image."""

    name: str
    """name in messages"""
    content: Path | bytes


class _Header(NamedTuple):
    name: str
    size: tuple[int, int]
    """height and width after the EXIF rotation"""
    mode: str
    is_transparent: bool


def decode(
    images: Mapping[str, Sequence[Encoded]], size: tuple[int, int] | None
) -> tuple[dict[str, NDArray[np.uint8]], list[str]]:
    """Return the images of each split as [N, height, width, channels], and notes on their conversion.

    Images are rotated according to EXIF. They become grey if all of them are grey, else RGB. Transparent
    images are composited on white.

    Args:
        images: encoded images by split.
        size: height and width to which images are resized, bilinearly and without keeping proportions.

    Raises:
        ValueError: an image cannot be read or has more than 8 bits a pixel, or sizes differ without `size`.
    """
    headers = [_header(image) for part in images.values() for image in part]
    if size is None:
        _require_one_size(headers)
    mode = "L" if all(header.mode in ("1", "L", "LA") for header in headers) else "RGB"
    height, width = size or headers[0].size
    require_memory(len(headers) * height * width * len(mode))
    decoded = {
        split: np.stack([_pixels(image, mode, (height, width)) for image in part])
        for split, part in images.items()
    }
    return decoded, _notes(headers, mode, size)


def _header(image: Encoded) -> _Header:
    with _opened(image) as opened:
        width, height = opened.size
        on_its_side = opened.getexif().get(_ORIENTATION) in _ON_THEIR_SIDE
        header = _Header(
            image.name,
            (width, height) if on_its_side else (height, width),
            opened.mode,
            "A" in opened.getbands() or "transparency" in opened.info,
        )
    if header.mode.startswith(("I", "F")):
        raise ValueError(f"{image.name}: has more than 8 bits a pixel (mode {header.mode}); convert it first")
    return header


def _require_one_size(headers: Sequence[_Header]) -> None:
    first = headers[0]
    other = next((header for header in headers if header.size != first.size), None)
    if other is not None:
        sizes = (f"{header.name} is {header.size[0]}x{header.size[1]}" for header in (first, other))
        height, width = first.size
        raise ValueError(f"{' and '.join(sizes)}; type --size {height}x{width} to resize all to that")


def _pixels(image: Encoded, mode: str, size: tuple[int, int]) -> NDArray[np.uint8]:
    from PIL import Image, ImageOps

    height, width = size
    with _opened(image) as opened:
        turned = ImageOps.exif_transpose(opened)
        if "A" in turned.getbands() or "transparency" in turned.info:
            shown = turned.convert("RGBA")
            turned = Image.alpha_composite(Image.new("RGBA", shown.size, "white"), shown)
        converted = turned.convert(mode)
        if converted.size != (width, height):
            converted = converted.resize((width, height), Image.Resampling.BILINEAR)
        return np.asarray(converted, np.uint8).reshape(height, width, len(mode))


@contextlib.contextmanager
def _opened(image: Encoded) -> Iterator[Any]:
    """Open an image; errors become a ValueError that names it."""
    from PIL import Image, UnidentifiedImageError

    source = io.BytesIO(image.content) if isinstance(image.content, bytes) else image.content
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Pillow warns about metadata that is not read here
            with Image.open(source) as opened:
                yield opened
    except UnidentifiedImageError:
        raise ValueError(f"{image.name}: cannot be read as an image (unknown format)") from None
    except Exception as error:  # decoders raise errors of any type
        raise ValueError(f"{image.name}: cannot be read as an image ({reason(error)})") from error


def _notes(headers: Sequence[_Header], mode: str, size: tuple[int, int] | None) -> list[str]:
    images = number_of(len(headers), "image")
    grey = sum(header.mode in ("1", "L", "LA") for header in headers)
    transparent = sum(header.is_transparent for header in headers)
    resized = sum(header.size != size for header in headers) if size else 0
    notes = []
    if mode == "RGB" and grey:
        notes.append(f"{grey:,} of {images} {_was(grey)} grey and converted to RGB like the others")
    if transparent:
        notes.append(f"{transparent:,} of {images} {_was(transparent)} transparent and composited on white")
    if size and resized:
        notes.append(f"{resized:,} of {images} {_was(resized)} resized to {size[0]}x{size[1]}")
    return notes


def _was(count: int) -> str:
    return "was" if count == 1 else "were"
