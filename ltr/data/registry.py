"""Registries of data sets and augmentations. A lookup reads no data and imports neither NumPy nor TFDS."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ltr.config import schema
from ltr.errors import ConfigError
from ltr.registry import Entry, Registry

if TYPE_CHECKING:
    from ltr.data.distribution import Distribution, Files


@dataclass(frozen=True, kw_only=True)
class Facts:
    """Facts about a data set that a run needs before its data are read."""

    name: str
    shape: tuple[int, int, int]
    """height, width and channels of an image"""
    classes: int
    train_examples: int
    """including the validation examples"""
    test_examples: int
    zeros: float = 0.0
    """share of zeros among the pixels of the training images, for estimates; 0 if it is not known"""


@dataclass(frozen=True, kw_only=True)
class DatasetEntry(Entry, Facts):
    """Data set that its authors distribute. The entry's code is a `Files`."""

    title: str
    """name as papers write it"""
    version: str
    """version of the TFDS builder"""
    stock: bool = True
    """whether TFDS has a builder of this name"""
    config: str = ""
    """configuration of that builder, if it has several"""
    sha256: str | None = None
    """`ltr.data.arrays.fingerprint` of the prepared data; None if it is not known yet"""

    @property
    def description(self) -> str:
        """Its line of documentation as part of a sentence, without capital and full stop."""
        return f"{self.doc[0].lower()}{self.doc[1:-1]}"

    @property
    def distributions(self) -> "tuple[Distribution, ...]":
        """Its distributed forms; the first is downloaded if none is on this machine."""
        files: Files = self.load()
        return files.distributions

    @property
    def features(self) -> Callable[[str, int, int], dict[str, Any]]:
        """Function from split, index and label of an example to its TFDS features beyond image and label."""
        files: Files = self.load()
        return files.features

    def folder(self, root: Path) -> Path:
        """Return the folder of the prepared data, which exists only once preparation is complete."""
        return root / self.name / self.config / self.version


CUSTOM = Entry(
    name="custom",
    doc="Images of your own, in the file or folder that dataset.path names.",
    code="ltr.data.custom:read",
)

DATASETS: Registry[Entry] = Registry(
    "dataset.name",
    "data set",
    [
        DatasetEntry(
            name="digits",
            doc="Built-in handwritten digits.",
            code="ltr.data.digits:DIGITS",
            title="digits",
            version="1.0.0",
            shape=(8, 8, 1),
            classes=10,
            train_examples=1437,
            test_examples=360,
            zeros=0.49,
            stock=False,
            sha256="a4e72c5b41b3b12d7b63139643995bdd236e444f329250045663ad161a1392a4",
        ),
        DatasetEntry(
            name="mnist",
            doc="Handwritten digits.",
            paper="LeCun et al., 1998",
            code="ltr.data.mnist:MNIST",
            title="MNIST",
            version="3.0.1",
            shape=(28, 28, 1),
            classes=10,
            train_examples=60_000,
            test_examples=10_000,
            zeros=0.81,
            sha256="cd71afb4b3c5afaa9ee8549fba9529d6591c9829c9dbd05a1e127cca6c36ba5c",
        ),
        DatasetEntry(
            name="fashion_mnist",
            doc="Articles of clothing.",
            paper="Xiao et al., 2017",
            code="ltr.data.mnist:FASHION_MNIST",
            title="Fashion-MNIST",
            version="3.0.1",
            shape=(28, 28, 1),
            classes=10,
            train_examples=60_000,
            test_examples=10_000,
            zeros=0.5,
            sha256="409feb75527d710e01c9be889b74eded39fa33756c595fe151b6966cc84eadac",
        ),
        DatasetEntry(
            name="kmnist",
            doc="Cursive Japanese characters.",
            paper="Clanuwat et al., 2018",
            code="ltr.data.kmnist:KMNIST",
            title="KMNIST",
            version="3.0.1",
            shape=(28, 28, 1),
            classes=10,
            train_examples=60_000,
            test_examples=10_000,
        ),
        DatasetEntry(
            name="emnist",
            doc="Handwritten digits and letters.",
            paper="Cohen et al., 2017",
            code="ltr.data.emnist:EMNIST",
            title="EMNIST Balanced",
            config="balanced",
            version="3.1.0",
            shape=(28, 28, 1),
            classes=47,
            train_examples=112_800,
            test_examples=18_800,
        ),
        DatasetEntry(
            name="cifar10",
            doc="Animals and vehicles.",
            paper="Krizhevsky, 2009",
            code="ltr.data.cifar10:CIFAR10",
            title="CIFAR-10",
            version="3.0.2",
            shape=(32, 32, 3),
            classes=10,
            train_examples=50_000,
            test_examples=10_000,
            sha256="4ee579856f3969c0bee505a591fd8cff883dd5258f5efe8cc80761e7fcd25848",
        ),
        DatasetEntry(
            name="cifar100",
            doc="Things of a hundred kinds.",
            paper="Krizhevsky, 2009",
            code="ltr.data.cifar100:CIFAR100",
            title="CIFAR-100",
            version="3.0.2",
            shape=(32, 32, 3),
            classes=100,
            train_examples=50_000,
            test_examples=10_000,
        ),
        DatasetEntry(
            name="svhn_cropped",
            doc="House numbers in streets.",
            paper="Netzer et al., 2011",
            code="ltr.data.svhn_cropped:SVHN_CROPPED",
            title="SVHN",
            version="3.1.0",
            shape=(32, 32, 3),
            classes=10,
            train_examples=73_257,
            test_examples=26_032,
        ),
        CUSTOM,
    ],
)

AUGMENTATIONS: Registry[Entry] = Registry(
    "dataset.augmentation",
    "augmentation",
    [
        Entry(name="none", doc="Images as they are.", code="ltr.data.augmentation:none"),
        Entry(
            name="crop_flip",
            doc="A random crop of the image padded by 4 pixels, mirrored half the time.",
            paper="He et al., 2016",
            code="ltr.data.augmentation:crop_flip",
        ),
    ],
)
"""An entry's code is an `ltr.data.augmentation.Augmentation`."""


def distributed() -> dict[str, DatasetEntry]:
    """Return all data sets but custom data, by name."""
    return {name: entry for name, entry in DATASETS.items() if isinstance(entry, DatasetEntry)}


def find(name: str) -> DatasetEntry:
    """Return the distributed data set of that name; ConfigError suggests the nearest name."""
    entry = DATASETS[name]
    if not isinstance(entry, DatasetEntry):
        raise ConfigError(f"dataset.name={name}: is read from dataset.path and needs no preparation")
    return entry


def title(config: schema.Dataset) -> str:
    """Return the title of a data set: the file's stem for custom data, the name itself if it is unknown."""
    entry = DATASETS.get(config.name)
    if entry is CUSTOM and config.path:
        return Path(config.path).stem
    return entry.title if isinstance(entry, DatasetEntry) else config.name
