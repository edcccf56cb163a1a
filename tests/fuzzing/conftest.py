"""A machine of known speed, and programs that runs share."""

from collections.abc import Iterator

import pytest

from ltr.engine import break_even, speed
from ltr.engine.speed import Speed


@pytest.fixture(scope="module", autouse=True)
def _known_speed(compile_once: None) -> Iterator[None]:
    """Measure nothing, as no test here asks how long a run takes."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(speed, "measured", lambda *_: Speed(1.0, 1.0))
        patch.setattr(speed, "flops_meter", lambda _: lambda: 1e9)
        patch.setattr(break_even, "densities", lambda layers, *_: dict.fromkeys(layers, 0.3))
        yield
