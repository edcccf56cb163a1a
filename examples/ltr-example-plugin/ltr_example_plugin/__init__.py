"""Entries and YAML files that the package adds to ltr.

An entry has the address of its code, which is imported when it is used, so `ltr run --help` stays fast.
"""

from pathlib import Path

from ltr.arms.registry import MASKS, ScoreEntry
from ltr.data.registry import DATASETS, DatasetEntry
from ltr.models.registry import NETWORKS, Network
from ltr.plugins import Plugin
from ltr.pruning.registry import CRITERIA
from ltr.registry import Entry

plugin = Plugin(
    entries=[
        (
            NETWORKS,
            Network(
                name="two_layers",
                doc="One hidden layer of 32 units, and the output.",
                code="ltr_example_plugin.networks:two_layers",
                title="Two-Layer",
            ),
        ),
        (
            CRITERIA,
            Entry(
                name="growth",
                doc="Growth of the magnitude as a ratio, |theta_T| / |theta_0|.",
                code="ltr_example_plugin.criteria:growth",
            ),
        ),
        (
            MASKS,
            ScoreEntry(
                name="gradient",
                doc="Magnitude of the gradient at initialisation, |g|.",
                code="ltr_example_plugin.at_init:gradient",
                is_random=True,
                is_random_inverted=True,
            ),
        ),
        (
            DATASETS,
            DatasetEntry(
                name="bars",
                doc="Noisy images of a bright row or a bright column.",
                code="ltr_example_plugin.bars:BARS",
                title="Bars",
                version="1.0.0",
                shape=(6, 6, 1),
                classes=2,
                train_examples=400,
                test_examples=100,
                stock=False,
            ),
        ),
    ],
    configs=Path(__file__).parent / "configs",
)
