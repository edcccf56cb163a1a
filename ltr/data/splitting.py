"""Choice of validation examples: the last ones, or a fixed share of each class."""

import numpy as np
from jaxtyping import Int32, Integer

from ltr.config.schema import Dataset
from ltr.data.checks import require_fewer
from ltr.errors import ConfigError

Rows = slice | Integer[np.ndarray, "rows"]


def divide(labels: Int32[np.ndarray, "examples"], config: Dataset) -> tuple[Rows, Rows]:
    """Return the training rows and the validation rows, each in the order of the data.

    Raises:
        ConfigError: `config.validation` leaves no training example or, with a stratified split, a class
            without an example in one of the parts.
    """
    require_fewer(config, len(labels))
    if config.split != "stratified":
        kept = len(labels) - config.validation
        return slice(kept), slice(kept, None)
    try:
        held_out = stratified(labels, config.validation)
    except ValueError as error:
        raise ConfigError(f"dataset.validation={config.validation}: {error}") from None
    return np.delete(np.arange(len(labels)), held_out), held_out


def stratified(labels: Int32[np.ndarray, "examples"], count: int) -> Integer[np.ndarray, "{count}"]:
    """Return `count` sorted rows, in which each class has its share of all examples.

    Run ids rely on this choice, so the function is pure and its result must never change. Shares are rounded
    by largest remainder. A class of two or more examples has at least one in each part. A class of a single
    example gives none. The examples of a class are chosen at random by the raw stream of PCG64(0), which
    NumPy guarantees not to change (NEP 19).

    Args:
        labels: from 0 on.
        count: number of examples to choose.

    Raises:
        ValueError: not every class of two or more examples can have one in each part.
    """
    shares = _shares(np.bincount(labels), count)
    order = np.argsort(np.random.PCG64(0).random_raw(len(labels)), kind="stable")
    chosen = [order[labels[order] == label][:share] for label, share in enumerate(shares)]
    return np.sort(np.concatenate(chosen))


def _shares(sizes: Integer[np.ndarray, "classes"], count: int) -> Integer[np.ndarray, "classes"]:
    """Return the number of examples that each class gives.

    Shares are rounded by largest remainder within the bounds of each class; ties go to the lower label.
    """
    highest = np.maximum(sizes - 1, 0)
    lowest = np.minimum(highest, 1)
    if not lowest.sum() <= count <= highest.sum():
        raise ValueError(
            f"must be {lowest.sum()} to {highest.sum()}, so that each class has examples in both parts"
        )
    total = sizes.sum()
    shares = np.clip(count * sizes // total, lowest, highest)
    while missing := count - shares.sum():
        step = np.sign(missing)
        can_change = shares < highest if step > 0 else shares > lowest
        owed = step * (count * sizes - shares * total)
        shares[np.argmax(np.where(can_change, owed, np.iinfo(np.int64).min))] += step
    return shares
