"""The data sets there are, by name; looking one up reads no data and imports no TFDS.

To add one, describe it as an `Entry` in a file of its own and name that below; see
docs/how-to/add-a-data-set.md.
"""

from ltr.data.cifar10 import CIFAR10
from ltr.data.cifar100 import CIFAR100
from ltr.data.digits import DIGITS
from ltr.data.emnist import EMNIST
from ltr.data.entry import Entry
from ltr.data.kmnist import KMNIST
from ltr.data.mnist import FASHION_MNIST, MNIST
from ltr.data.svhn_cropped import SVHN_CROPPED
from ltr.errors import ConfigError
from ltr.suggestions import nearest

_ENTRIES = (
    DIGITS,
    MNIST,
    FASHION_MNIST,
    KMNIST,
    EMNIST,
    CIFAR10,
    CIFAR100,
    SVHN_CROPPED,
)

DATASETS = {entry.name: entry for entry in _ENTRIES}


def find(name: str) -> Entry:
    """The entry of that name; ConfigError suggests what may have been meant."""
    if name not in DATASETS:
        raise ConfigError(f"dataset.name={name}: unknown data set; {nearest(name, DATASETS)}")
    return DATASETS[name]
