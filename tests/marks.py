"""Parameters of tests, those of longer proofs marked as slow."""

from collections.abc import Container, Iterable
from typing import Any

import pytest


def slow(*values: Any, id: str | None = None) -> Any:  # noqa: A002
    """The values of one case, which is tried every night alone."""
    return pytest.param(*values, id=id, marks=pytest.mark.slow)


def slow_but(quick: Container[Any], values: Iterable[Any]) -> list[Any]:
    """The values of one parameter; those not in `quick` are tried every night alone."""
    return [value if value in quick else slow(value) for value in values]
