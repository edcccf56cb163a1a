"""What `ltr run` warns of: knobs by which a training cannot do what they say."""

from collections.abc import Callable

import pytest

from ltr import kernels
from tests.marks import slow

Run = Callable[..., int]
Captured = pytest.CaptureFixture[str]


def test_trainings_without_an_early_stop(ltr_run: Run, capsys: Captured) -> None:
    assert ltr_run("eval_every=20", "rounds=0", "replicates=1") == 0
    said = capsys.readouterr()
    assert "ltr: eval_every=20: a training of 20 steps is then evaluated at its ends alone" in said.err
    assert "lower eval_every=20." in " ".join(said.out.split())


@pytest.mark.parametrize(
    ("warmup", "drops", "expected"),
    [
        slow(20, "[19]", []),
        (
            21,
            "[1,20,1ep]",
            [
                "ltr: optimizer.warmup=21: longer than steps=20, so optimizer.learning_rate is never reached",
                "ltr: optimizer.drops=[1,20,1ep]: steps=20 end before the learning rate drops at 20 and 1ep",
            ],
        ),
    ],
)
def test_learning_rates_that_a_training_does_not_reach(
    warmup: int, drops: str, expected: list[str], ltr_run: Run, capsys: Captured
) -> None:
    """An epoch of digits has 29 batches of 40."""
    words = (f"optimizer.warmup={warmup}", "optimizer.schedule=step", f"optimizer.drops={drops}")
    assert ltr_run("rounds=0", "replicates=1", "batch_size=40", *words) == 0
    assert [line for line in capsys.readouterr().err.splitlines() if "optimizer." in line] == expected


@pytest.mark.parametrize(
    ("built", "arithmetic", "warned"),
    [(False, "auto", True), slow(False, "xla", False), slow(True, "auto", False)],
)
def test_kernels_that_are_not_built(
    built: bool,
    arithmetic: str,
    warned: bool,
    ltr_run: Run,
    capsys: Captured,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    if not built:
        monkeypatch.setattr(kernels, "instruction_set", lambda: None)
    assert ltr_run("rounds=0", "replicates=1", f"arithmetic={arithmetic}") == 0
    assert ("ltr: ltr's kernels are not built" in capsys.readouterr().err) is warned
