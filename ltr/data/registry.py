"""The data sets there are, by name; looking one up reads no data and imports no TFDS.

To add one, describe it as an `Entry` in a file of its own and name that below.
"""

from ltr.config import nearest
from ltr.data.digits import DIGITS
from ltr.data.entry import Entry
from ltr.data.mnist import FASHION_MNIST, MNIST
from ltr.errors import ConfigError

DATASETS = {entry.name: entry for entry in (DIGITS, MNIST, FASHION_MNIST)}


def find(name: str) -> Entry:
    """The entry of that name; ConfigError suggests what may have been meant."""
    if name not in DATASETS:
        raise ConfigError(f"dataset.name={name}: unknown data set; {nearest(name, DATASETS)}")
    return DATASETS[name]
