"""What is compiled for a training, when, and what it moves."""

from collections.abc import Callable
from typing import Any

import jax
import numpy as np
import pytest

from ltr.config.schema import Pruning
from ltr.core import masks
from ltr.engine import trainer
from ltr.engine.ahead import CompiledAhead
from ltr.engine.trainer import InitialState, Trainer
from ltr.models.model import Model
from ltr.pruning import prune as pruning
from ltr.pruning.criteria import PruningInput
from ltr.pruning.targets import targets
from tests.engine.lanes import AT, LANES, counted, ignore


def test_the_program_is_traced_once_for_all_rounds(
    make: Callable[..., Trainer], network: Model, params: Any
) -> None:
    traces: list[Any] = []
    trainer = make(wrap=counted(traces))
    mask, weights = masks.ones(params, network.layer_types), params
    counts = targets(Pruning(), 0.3, 4, network.layer_types, network.kernels)
    for round_number in range(4):
        at = AT[2:] if round_number else AT
        lanes = {
            lane: InitialState(
                jax.tree.map(np.asarray, masks.apply(mask, params)), mask, np.array([0, n], np.uint32)
            )
            for n, lane in enumerate(LANES[: 1 + round_number % 3])
        }
        outcomes = trainer.train(lanes, at, ignore)
        weights = outcomes[LANES[0]].params
        evidence = PruningInput(params, weights, mask, jax.random.key(0))
        mask = pruning.select(Pruning(), network.layer_types, evidence, counts[round_number + 1])
    assert masks.density(mask) < 0.3
    assert len(traces) == 1


@pytest.mark.usefixtures("visited_at_every_step")
def test_nothing_is_compiled_after_the_first_visit(
    make: Callable[..., Trainer], starts: Any, caplog: pytest.LogCaptureFixture
) -> None:
    trainer = make()
    with jax.log_compiles():
        trainer.train(starts, AT[:1], ignore)
        assert "Compiling" in caplog.text
        caplog.clear()
        trainer.train(starts, AT, ignore)
    assert "Compiling" not in caplog.text


def test_the_program_moves_nothing_to_the_devices_and_takes_over_the_lanes_it_is_given(
    make: Callable[..., Trainer], starts: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    given_away = []

    class Guarded(CompiledAhead):
        def version(self, *arguments: Any) -> Callable[..., Any]:
            run = super().version(*arguments)

            def guarded(*arguments: Any) -> Any:
                with jax.transfer_guard("disallow"):
                    results = run(*arguments)
                given_away.append([leaf.is_deleted() for leaf in jax.tree.leaves(arguments[0])])
                return results

            return guarded

    monkeypatch.setattr(trainer, "CompiledAhead", Guarded)
    make().train(starts, AT, ignore)
    assert given_away
    assert all(all(leaves) for leaves in given_away)
