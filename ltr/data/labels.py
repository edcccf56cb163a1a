"""Conversion of labels to one integer per image."""

from typing import Any

from numpy.typing import NDArray


def one_each(name: str, labels: NDArray[Any], images: int) -> NDArray[Any]:
    """Return labels of shape [N] or [N, 1] as [N].

    Raises:
        ValueError: the shape does not fit `images` images; for one-hot labels the message has the conversion.
    """
    if labels.ndim == 2 and labels.shape[1] > 1 and len(labels) == images:
        raise ValueError(f"{name} has shape {labels.shape}, {_several(name, labels)}")
    if labels.shape not in ((images,), (images, 1)):
        raise ValueError(f"{name} has shape {labels.shape}, must have {(images,)}, a label for each image")
    return labels.reshape(-1)


def _several(name: str, labels: NDArray[Any]) -> str:
    if labels.dtype.kind in "biuf" and ((labels == 0) | (labels == 1)).all() and (labels.sum(1) == 1).all():
        return f"one-hot labels; type: {name} = {name}.argmax(axis=1)"
    return "several labels for an image (multi-label); ltr needs one class for each image"


def integers(name: str, labels: NDArray[Any]) -> NDArray[Any]:
    """Return the labels unchanged; ValueError if they are not integers."""
    if labels.dtype.kind not in "iu":
        raise ValueError(f"{name} is {labels.dtype}, must be integers")
    return labels


def require_below(classes: int, split: str, labels: NDArray[Any]) -> None:
    """Raise ValueError if a label is not in 0 to classes - 1."""
    outside = labels[(labels < 0) | (labels >= classes)]
    if len(outside):
        raise ValueError(f"a {split} label is {outside[0]}, must be 0 to {classes - 1}")
