"""The knob `arithmetic`: what computes the convolutions of a run, from its first session to its last."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ltr import kernels

WORDS = ("model=conv2", "model.width=0.05", "arms=[ticket,grasp]", "steps=4", "eval_every=4")
TILES = {"conv_1": 4, "conv_2": 4}


@pytest.mark.slow
@pytest.mark.skipif(kernels.instruction_set() is None, reason="built without a C++ compiler")
def test_a_run_records_what_each_session_used_and_keeps_the_first_choice(
    ltr_run: Callable[..., int], root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """GraSP's scores, which are second derivatives, are computed beside it."""
    traced, conv3x3 = [], kernels.conv3x3

    def noted(*operands: Any) -> Any:
        traced.append(operands[-1])
        return conv3x3(*operands)

    monkeypatch.setattr(kernels, "conv3x3", noted)
    assert ltr_run(*WORDS, "replicates=1") == 0
    assert set(traced) == {4}
    traced.clear()
    assert ltr_run(*WORDS, "replicates=2", "rounds=0", "arithmetic=xla") == 0
    assert not traced
    info = json.loads(next(root.glob("*/run.json")).read_text())
    assert info["winograd"] == TILES
    assert [session["winograd"] for session in info["sessions"]] == [TILES, {}]
