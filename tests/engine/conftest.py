"""Trainers of `network` on `blobs`, and lanes to train."""

from collections.abc import Callable
from typing import Any

import jax
import numpy as np
import pytest

from ltr.config.schema import Optimizer
from ltr.core import masks, optimizers
from ltr.core.optimizers import Optimizer as Built
from ltr.data.augmentation import Augmentation, none
from ltr.data.dataset import Dataset
from ltr.engine import program
from ltr.engine.devices import Placement
from ltr.engine.examples import lay_out
from ltr.engine.packing import NO_LAYER, Layers
from ltr.engine.trainer import InitialState, Trainer
from ltr.methods.method import MethodContext
from ltr.methods.registry import method as find_method
from ltr.models.data_parallel import data_parallel, gathering
from ltr.models.model import Model
from ltr.store.tables import LaneId
from tests.engine.lanes import ADAM, EVERY, LANES, Run


@pytest.fixture(scope="session")
def make(network: Model, blobs: Dataset) -> Callable[..., Trainer]:
    """A trainer of `network` on `blobs`, in batches of 10: 4 steps an epoch."""

    def trainer(
        config: Optimizer = ADAM,
        lanes_per_device: int = 1,
        wrap: Callable[[Run], Run] = lambda f: f,
        method: str = "weights",
        packed: Layers = NO_LAYER,
        augment: Augmentation = none,
        fused: tuple[str, ...] = (),
        choose: Callable[[], Layers] | None = None,
        splits_batches: bool = False,
    ) -> Trainer:
        placement = Placement(tuple(jax.devices()), lanes_per_device, splits_batches)
        model = data_parallel(network, placement.shares)
        optimizer: Built = gathering(optimizers.build(config, 14, 4), placement.shares)
        built = find_method(method).load()(MethodContext(model, optimizer, 14, 4, fused=fused))
        compiled = program.program(model, built, 10, augment, shares=placement.shares)
        programs = {method: compiled._replace(run=wrap(compiled.run))}
        return Trainer(programs, optimizer, lay_out(blobs), placement, packed, choose=choose)

    return trainer


@pytest.fixture(scope="session")
def trainer(make: Callable[..., Trainer]) -> Trainer:
    return make()


@pytest.fixture(scope="session")
def packing(make: Callable[..., Trainer]) -> Trainer:
    """One that packs every layer."""
    return make(packed=EVERY)


@pytest.fixture(scope="session")
def starts(params: Any, mask: Any) -> dict[LaneId, InitialState]:
    """Three lanes of different weights and data orders."""
    return {
        lane: InitialState(
            jax.tree.map(lambda leaf, n=n: np.asarray(leaf * (1 + n)), masks.apply(mask, params)),
            mask,
            np.array([0, n], np.uint32),
        )
        for n, lane in enumerate(LANES)
    }


@pytest.fixture
def visited_at_every_step(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ltr.engine.trainer.CHUNK_SECONDS", 0.0)
