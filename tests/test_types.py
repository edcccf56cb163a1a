"""Types of arrays and pytrees are true, where calls are checked and in the fields of tuples."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any, NamedTuple, get_type_hints

import numpy as np
import pytest
from beartype.door import is_bearable
from jaxtyping import jaxtyped

from ltr import kernels
from ltr.config.schema import Optimizer
from ltr.core import masks, optimizers
from ltr.data.dataset import Dataset
from ltr.engine import program
from ltr.engine.devices import available, place
from ltr.engine.examples import lay_out
from ltr.engine.trainer import InitialState, Trainer
from ltr.methods import weights
from ltr.methods.method import MethodContext
from ltr.models.model import Model
from tests.compilation import QUICK

CHECKED = [
    *("ltr.arms", "ltr.engine", "ltr.export", "ltr.methods", "ltr.models", "ltr.pruning"),
    *("ltr.core.masks", "ltr.core.optimizers", "ltr.core.rng"),
    *("ltr.data.augmentation", "ltr.data.dataset", "ltr.data.images", "ltr.data.splitting"),
    *("ltr.experiment.connectivity", "ltr.experiment.runtime", "ltr.experiment.transfer"),
    *("ltr.kernels.batch_norm", "ltr.kernels.pattern", "ltr.kernels.sparse", "ltr.kernels.sorting"),
    "ltr.kernels.winograd",
]
"""Others name types that are imported for mypy alone, or hold what JAX puts into them."""

CHECK = f"""
from jaxtyping import install_import_hook
install_import_hook({CHECKED}, "beartype.beartype(conf=beartype.BeartypeConf(is_pep484_tower=True))")
"""

SMALL = ["run", "rounds=1", "replicates=1", "steps=2", "eval_every=2", "model.width=0.05"]


def checked(code: str) -> subprocess.CompletedProcess[str]:
    """In a process of its own, with each call of an ltr function checked."""
    return subprocess.run(
        [sys.executable, "-c", CHECK + code],
        check=False,
        capture_output=True,
        text=True,
        env=os.environ | QUICK,
    )


def run_of(*words: str) -> str:
    """Code of a small run, without its figures, which take as long and have no such types."""
    return f"""
from ltr.cli import main
from ltr.experiment import runner
runner.draw = lambda *_: None
raise SystemExit(main({[*SMALL, *words]}))
"""


def misfits(value: NamedTuple) -> list[str]:
    """Fields whose values are not of their types; an axis has one length in all fields."""
    with jaxtyped("context"):
        hints = get_type_hints(type(value))
        return [name for name, hint in hints.items() if not is_bearable(getattr(value, name), hint)]


@pytest.mark.slow
@pytest.mark.parametrize("scope", ["layerwise", "global"])
def test_a_run_of_every_arm(scope: str, tmp_path: Path) -> None:
    arms = [path.stem for path in Path("configs/arm").glob("*.yaml") if path.stem != "ticket"]
    arms_word = f"arms=[ticket,{','.join(arms)}]"
    found = checked(run_of(arms_word, f"pruning={scope}", "sparse=never", f"output_root={tmp_path}"))
    assert found.returncode == 0, found.stderr


WRONG = {
    "shape": ("selection.keep_highest(score, kept.T, 1, jax.random.key(0))", "parameter 'kept'"),
    "dtype": ("selection.keep_highest(score, score, 1, jax.random.key(0))", "parameter 'kept'"),
    "dtype in a pytree": (
        "masks.apply({'kernel': kept}, {'kernel': score.astype(np.float64)})",
        "parameter 'tree'",
    ),
    "size": ("kernels.conv3x3(images, np.ones((5, 5, 2, 3), np.float32), bias, True, False, 4)", "'kernel'"),
    "dimension of another name": (
        "kernels.conv3x3(images, np.ones((3, 3, 3, 3), np.float32), bias, True, False, 4)",
        "'kernel'",
    ),
}
"""Calls with a wrong array, each with what its error says."""


@pytest.mark.slow
def test_wrong_arrays_are_caught_and_a_small_run_of_packed_lanes_and_scores_has_none(tmp_path: Path) -> None:
    """One test for both: each process takes long to begin."""
    code = f"""
import json, jax, numpy as np
from jaxtyping import TypeCheckError
from ltr import kernels
from ltr.core import masks
from ltr.pruning import selection
images, bias = np.ones((1, 4, 4, 2), np.float32), np.ones(3, np.float32)
score, kept = np.ones((2, 3), np.float32), np.ones((2, 3), bool)
selection.keep_highest(score, kept, 1, jax.random.key(0))
caught = {{}}
for name, (call, _) in {WRONG}.items():
    try:
        eval(call)
    except TypeCheckError as error:
        caught[name] = str(error)
print(json.dumps(caught))
"""
    arms = "arms=[ticket,snip_shuffled_by_input,edge_popup]"
    found = checked(code + run_of(arms, "sparse=always", "early_bird=true", f"output_root={tmp_path}"))
    assert found.returncode == 0, found.stderr
    caught = json.loads(found.stdout.partition("\n")[0])
    assert caught.keys() == WRONG.keys()
    assert [name for name, (_, said) in WRONG.items() if said not in caught[name]] == []


def test_fields_of_tuples(blobs: Dataset, network: Model, params: Any, mask: Any) -> None:
    data = lay_out(blobs)
    optimizer = optimizers.build(Optimizer(), 1, 1)
    method = weights.build(MethodContext(network, optimizer, 1, 1))
    trainer = Trainer(
        {"weights": program.program(network, method, 10)}, optimizer, data, place(available(1), 1, 1, int)
    )
    start = InitialState(masks.apply(mask, params), mask, np.array([0, 1], np.uint32))
    pattern = kernels.pattern(mask["dense_1"]["kernel"], 128)
    values = kernels.SparseKernel(np.zeros(128, np.float32), pattern)
    lane = trainer.new_lane(start)
    for value in (blobs, blobs.train, network, data, start, lane, pattern, values):
        assert misfits(value) == []
    assert misfits(lane._replace(key=np.array([0, 1]))) == ["key"]
    assert misfits(data._replace(labels=data.labels[1:])) == ["labels"]
