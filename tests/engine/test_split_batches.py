"""Devices that share batches train as one device does."""

import json
import os
import subprocess
import sys
from collections import defaultdict

import pytest

from tests.compilation import QUICK


def distances(
    *words: str, counts: str, steps: int = 20, not_synchronised: str = ""
) -> dict[str, dict[int, float]]:
    """How far weights and metrics are from those of one device, by the number of devices."""
    found: dict[str, dict[int, float]] = defaultdict(dict)
    done = subprocess.run(
        [sys.executable, "-m", "tests.engine.split_batches", counts, str(steps), *words],
        env=os.environ | QUICK | {"NOT_SYNCHRONISED": not_synchronised},
        check=True,
        capture_output=True,
        text=True,
    )
    for count, name, distance in map(json.loads, done.stdout.splitlines()):
        found[name][count] = distance
    return found


def test_devices_that_share_batches_train_as_one_does() -> None:
    found = distances("small", counts="8")
    assert list(found["params"]) == [8]
    assert max(found["params"].values()) < 1e-12
    assert max(found["metrics"].values()) < 1e-12


@pytest.mark.slow
@pytest.mark.parametrize("layer", ["BatchNorm", "Dropout"])
def test_a_layer_that_acts_on_shares_alone_is_seen(layer: str) -> None:
    """The test above fails if a layer that needs the whole batch does without."""
    assert distances("small", counts="2", not_synchronised=layer)["params"][2] > 1e-4


@pytest.mark.slow
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("network", ["lenet_300_100", "conv2", "resnet20"])
def test_networks_train_alike_for_200_steps(network: str) -> None:
    found = distances(f"model={network}", "model.width=0.25", counts="1,2,3,4,8", steps=200)
    assert found["params"][1] == 0
    assert max(found["params"].values()) < 1e-9
    assert max(found["metrics"].values()) < 1e-12
