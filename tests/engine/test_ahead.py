"""Versions of a function that compile before they are called."""

import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import jax
import numpy as np
import pytest

from ltr.engine import devices
from ltr.engine.ahead import CompiledAhead

ONE, TWO = np.ones((1, 2), np.float32), np.ones((1, 3), np.float32)


class Lowering:
    """A function that doubles, and notes for which shapes it is lowered and in which thread."""

    def __init__(self) -> None:
        self.shapes: list[tuple[int, ...]] = []
        self.threads: list[str] = []
        self._doubled = devices.parallel(lambda x: 2 * x, devices.place(devices.available(1), 1, 1, int))

    def __call__(self, *arguments: Any) -> Any:
        raise AssertionError("its versions are called")

    def lower(self, x: Any) -> Any:
        self.shapes.append(x.shape)
        self.threads.append(threading.current_thread().name)
        return self._doubled.lower(x)


@pytest.fixture
def function() -> Lowering:
    return Lowering()


def test_there_is_a_version_for_each_shape(function: Lowering) -> None:
    ahead = CompiledAhead(function)
    for x in (ONE, TWO, 3 * ONE):
        np.testing.assert_array_equal(ahead.version(x)(x), 2 * x)
    assert function.shapes == [(1, 2), (1, 3)]


def test_what_compiled_in_another_thread_is_called(function: Lowering) -> None:
    ahead = CompiledAhead(function)
    with ThreadPoolExecutor(1, thread_name_prefix="other") as other:
        version = other.submit(ahead.version, jax.ShapeDtypeStruct(ONE.shape, ONE.dtype))
        np.testing.assert_array_equal(ahead.version(ONE)(ONE), 2 * ONE)
        version.result()
    assert len(function.threads) == 1
    ahead.version(ONE)
    assert len(function.threads) == 1


def test_whoever_needs_a_version_waits_for_its_compilation(function: Lowering) -> None:
    ahead, may_go_on = CompiledAhead(function), threading.Event()
    lower = function.lower

    def slowly(x: Any) -> Any:
        assert may_go_on.wait(10)
        return lower(x)

    function.lower = slowly  # type: ignore[method-assign]
    with ThreadPoolExecutor(3) as threads:
        versions = [threads.submit(ahead.version, ONE) for _ in range(3)]
        may_go_on.set()
        assert len({id(version.result()) for version in versions}) == 1
    assert function.shapes == [(1, 2)]


def test_an_error_is_raised_and_the_next_call_tries_again(function: Lowering) -> None:
    ahead = CompiledAhead(function)
    function.lower = lambda x: 1 / 0  # type: ignore[method-assign, assignment]
    for _ in range(2):
        with pytest.raises(ZeroDivisionError):
            ahead.version(ONE)
    del function.lower
    np.testing.assert_array_equal(ahead.version(ONE)(ONE), 2 * ONE)
