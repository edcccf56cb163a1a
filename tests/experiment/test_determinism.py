"""The same command makes the same bits, in every process, and on as many cores as there are."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.kept import difference, kept

COMMAND = """
import os, sys
from ltr.cli import main
cores = range(int(sys.argv.pop(1)))
os.sched_getaffinity = lambda _: {*cores}
sys.exit(main())
"""
"""`ltr` where it may use so many cores, each of which is a device."""

SMALL = ("run", "rounds=1", "replicates=4", "steps=100", "eval_every=25")
KINDS = {
    "dense": ("arms=[ticket,random_reinit]", "sparse=never"),
    "packed": ("arms=[ticket,random_mask]", "sparse=always", "prune_rate=0.7"),
    "convolutional": (
        *("model=wide_resnet", "model.options.blocks=1", "model.width=0.1", "dataset.augmentation=crop_flip"),
        *("arms=[ticket,random_reinit]", "steps=40"),
    ),
}

Train = Callable[..., dict[str, bytes]]


@pytest.fixture(params=KINDS)
def train(request: pytest.FixtureRequest, tmp_path: Path) -> Train:
    """Trains in a fresh process that compiles everything as a user's does; returns what the run keeps."""

    def make(name: str, cores: int, *words: str) -> dict[str, bytes]:
        root = tmp_path / name
        subprocess.run(
            [
                sys.executable,
                "-c",
                COMMAND,
                str(cores),
                *SMALL,
                *KINDS[request.param],
                *words,
                f"output_root={root}",
            ],
            check=True,
            capture_output=True,
            env=os.environ | {"JAX_COMPILATION_CACHE_DIR": str(tmp_path / "compiled" / name)},
        )
        return kept(root)

    return make


def metrics(found: dict[str, bytes]) -> list[bytes]:
    """The tables of learning curves."""
    return [content for name, content in found.items() if name.endswith("metrics.parquet")]


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_the_bits_depend_on_the_seed_alone(train: Train) -> None:
    """Not on the process, nor on the number of devices: no tolerance is needed."""
    expected = train("first", 2)
    assert difference(train("second", 2), expected) == []
    for cores in (1, 4):
        assert difference(train(f"{cores} cores", cores), expected) == []
    assert metrics(train("another seed", 2, "seed=1")) != metrics(expected)
