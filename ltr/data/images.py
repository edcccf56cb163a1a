"""Conversion of images to uint8 [N, height, width, channels] without loss."""

from collections.abc import Iterator, Mapping
from typing import Any, Literal

import numpy as np
from jaxtyping import Integer, UInt8
from numpy.typing import NDArray

from ltr.core.plural import number_of

Layout = Literal["channels_first", "channels_last"]
Images = Mapping[str, NDArray[Any]]
"""Arrays by the names that error messages use."""

CHANNELS = (1, 3, 4)
"""Usual numbers of channels: grey, RGB, RGB with transparency."""

_CHUNK = 1000


def to_uint8(images: Images) -> dict[str, NDArray[np.uint8]]:
    """Return the arrays as uint8, converted without loss and all by the same rule.

    Whole numbers from 0 to 255, integers or floats, keep their values. Floats from 0 to 1 are multiplied by
    255 if all of them are multiples of 1/255 to their precision. uint16 values are divided by 257 if all of
    them are multiples of it. Booleans become 0 and 255.

    Raises:
        ValueError: the types differ, or no rule applies; the message has the NumPy line that converts them.
    """
    first, *others = images
    dtype = images[first].dtype
    for name in others:
        if images[name].dtype != dtype:
            raise ValueError(f"{name} is {images[name].dtype}, must be {dtype} as {first}")
    if dtype == np.uint8:
        return dict(images)
    if dtype.kind not in "biuf":
        raise ValueError(f"{first} is {dtype}, must be uint8")
    scale = _scale(images, dtype)
    return {name: _scaled(array, scale) for name, array in images.items()}


def _scale(images: Images, dtype: np.dtype[Any]) -> float:
    """Return the factor that maps the pixels to whole numbers from 0 to 255."""
    if dtype.kind == "b":
        return 255.0
    filled = [array for array in images.values() if array.size]
    low, high = (
        float(getattr(np, extreme)([getattr(array, extreme)() for array in filled]))
        for extreme in ("min", "max")
    )
    if not np.isfinite([low, high]).all():
        raise ValueError(f"{next(iter(images))} or another array of images holds NaN or infinity")
    if low >= 0:
        for scale, limit in ((1.0, 255), (255.0, 1), (1 / 257, 65535)):
            applies = _applies(dtype, scale) and high <= limit and not (scale == 1 and _is_unit(dtype, high))
            if applies and all(_is_exact(array, scale) for array in filled):
                return scale
    raise ValueError(_refusal(next(iter(images)), dtype, low, high))


def _applies(dtype: np.dtype[Any], scale: float) -> bool:
    return scale == 1 or (dtype.kind == "f" if scale > 1 else dtype == np.uint16)


def _is_unit(dtype: np.dtype[Any], high: float) -> bool:
    """Return whether the pixels are floats from 0 (black) to 1 (white)."""
    return dtype.kind == "f" and high <= 1


def _is_exact(array: NDArray[Any], scale: float) -> bool:
    """Return whether scaled values are whole numbers, within the rounding error of a division by 255."""
    precision = 1.5 * float(np.finfo(array.dtype).eps) if array.dtype.kind == "f" and scale != 1 else 1e-12
    for chunk in _chunks(array):
        scaled = chunk.astype(np.float64) * scale
        whole = np.round(scaled)
        if (np.abs(scaled - whole) > precision * whole).any():
            return False
    return True


def _scaled(array: NDArray[Any], scale: float) -> NDArray[np.uint8]:
    pixels = np.empty(array.shape, np.uint8)
    for index, chunk in enumerate(_chunks(array)):
        pixels[index * _CHUNK :][:_CHUNK] = np.round(chunk.astype(np.float64) * scale)
    return pixels


def _chunks(array: NDArray[Any]) -> Iterator[NDArray[Any]]:
    return (array[start : start + _CHUNK] for start in range(0, len(array), _CHUNK))


def _refusal(name: str, dtype: np.dtype[Any], low: float, high: float) -> str:
    black, white = min(low, 0.0), 1.0 if dtype.kind == "f" and high <= 1 else high
    shifted = f"({name} + {-black:.9g})" if black < 0 else name
    factor = "255" if white - black == 1 else f"(255 / {white - black:.9g})"
    return (
        f"{name} is {dtype} from {low:.9g} to {high:.9g}, which uint8 cannot hold exactly; type: "
        f"{name} = np.round({shifted} * {factor}).astype(np.uint8), and the same for the other images"
    )


def with_channels(
    images: Mapping[str, NDArray[np.uint8]], layout: Layout | None, knob: str
) -> dict[str, NDArray[np.uint8]]:
    """Return the arrays as [N, height, width, channels].

    Args:
        images: [N, height, width], [N, height, width, channels], or [N, channels, height, width] with
            `layout` channels_first.
        layout: order of the dimensions; None means channels last, and refuses a shape that is probably not.
        knob: option that sets the layout, for error messages, such as `dataset.layout=`.

    Raises:
        ValueError: the shape is another, or is probably channels first and no layout is given.
    """
    return {name: _with_channels(name, array, layout, knob) for name, array in images.items()}


def _with_channels(
    name: str, images: NDArray[np.uint8], layout: Layout | None, knob: str
) -> NDArray[np.uint8]:
    shape = images.shape
    if len(shape) not in (3, 4) or 0 in shape:
        raise ValueError(
            f"{name} has shape {shape}, must be [N, height, width] or "
            "[N, height, width, channels] and not empty"
        )
    if len(shape) == 3:
        return np.ascontiguousarray(images[..., np.newaxis])
    if layout is None and is_channels_first(shape):
        raise ValueError(
            f"{name} has shape {shape}, which is probably channels first; type {knob}channels_first if its "
            f"images are {described(shape[2:] + shape[1:2])}, {knob}channels_last if they are "
            f"{described(shape[1:])}"
        )
    return np.ascontiguousarray(np.moveaxis(images, 1, -1) if layout == "channels_first" else images)


def is_channels_first(shape: tuple[int, ...]) -> bool:
    """Return whether a shape of four dimensions [N, ...] is probably channels first."""
    return len(shape) == 4 and shape[1] in CHANNELS and shape[-1] not in CHANNELS


def described(shape: tuple[int, ...]) -> str:
    """Return height, width and channels as text, such as `32x32, 3 channels`."""
    height, width, channels = shape
    return f"{height}x{width}, {number_of(channels, 'channel')}"


def constant(images: UInt8[np.ndarray, "count height width channels"]) -> Integer[np.ndarray, "constant"]:
    """Return the rows of images whose pixels are all equal."""
    return np.flatnonzero((images == images[:, :1, :1]).all((1, 2, 3)))
