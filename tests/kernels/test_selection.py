"""The lowest of the highest numbers, against a sort."""

import jax
import numpy as np
import pytest

from ltr import kernels
from ltr.kernels import selection

RANKS = {
    "few": lambda generator: generator.integers(-3, 4, 5000),
    "near": lambda generator: generator.integers(2**30, 2**30 + 3000, 5000),
    "all": lambda generator: generator.integers(-(2**31), 2**31 - 1, 5000),
    "one": lambda generator: np.array([-7]),
}


@pytest.fixture(params=["kernel", "bisection"])
def nth_highest(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> object:
    if request.param == "bisection":
        monkeypatch.setattr(selection, "instruction_set", lambda: None)
    return jax.jit(lambda *arguments: kernels.nth_highest(*arguments))


@pytest.mark.parametrize("name", RANKS)
def test_it_is_that_of_a_sort(nth_highest: object, name: str) -> None:
    generator = np.random.default_rng(0)
    ranks = RANKS[name](generator).astype(np.int32)
    kept = generator.random(ranks.size) < 0.6
    kept[0] = True
    descending = np.sort(ranks[kept])[::-1]
    for count in {1, 2, len(descending) // 2, len(descending)} - {0}:
        if count <= len(descending):
            assert nth_highest(ranks, kept, np.int32(count)) == descending[count - 1]  # type: ignore[operator]
    assert nth_highest(ranks, kept, np.int32(0)) > ranks.max()  # type: ignore[operator]
