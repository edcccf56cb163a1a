"""The 8x8 handwritten digits that come with scikit-learn, without a download."""

from collections.abc import Mapping

import numpy as np

from ltr.data.arrays import Arrays, Split
from ltr.data.distribution import Distribution, Files

_TEST_EXAMPLES = 360


def _read(_: Mapping[str, bytes]) -> Arrays:
    """Return all 1,797 images, pixels 0 to 16, in a fixed stratified split."""
    from sklearn.datasets import load_digits
    from sklearn.model_selection import train_test_split

    bunch = load_digits()
    images, labels = bunch.images.astype(np.uint8)[..., np.newaxis], bunch.target.astype(np.int32)
    train, test = train_test_split(
        np.arange(len(labels)), test_size=_TEST_EXAMPLES, stratify=labels, random_state=0
    )
    return Arrays(Split(images[train], labels[train]), Split(images[test], labels[test]))


DIGITS = Files(
    distributions=(Distribution((), _read),),
)
