"""Errors: what a launcher gets of them when it pickles them."""

import pickle
from collections.abc import Iterator
from pathlib import Path

import pytest

from ltr.buckets.bucket import AccessError, BucketError
from ltr.config.parse import KnobError
from ltr.errors import ConfigError, LtrError, StoppedError
from ltr.store.damage import DamageError
from ltr.tuning.search import HopelessError

ARGUMENTS = {
    StoppedError: (15, "stopped"),
    HopelessError: (),
    BucketError: ("s3://bucket", "does not answer"),
    AccessError: ("s3://bucket", "there is no such bucket"),
    KnobError: (["arms"], "arms: unknown"),
    DamageError: (Path("results.parquet"), "missing", "the results", "restore it from a copy"),
}
"""Of the errors that take more than a message."""


def kinds(kind: type[LtrError] = LtrError) -> Iterator[type[LtrError]]:
    """An error and all that are of its kind."""
    yield kind
    for one in kind.__subclasses__():
        yield from kinds(one)


@pytest.mark.parametrize("kind", [*kinds()], ids=lambda kind: kind.__name__)
def test_every_error_pickles(kind: type[LtrError]) -> None:
    error = kind(*ARGUMENTS.get(kind, ("broken",)))
    found = pickle.loads(pickle.dumps(error))
    assert type(found) is kind
    assert (str(found), found.exit_code, vars(found)) == (str(error), error.exit_code, vars(error))


class _PluginError(ConfigError):
    """An error of a plug-in, say."""

    def __init__(self, name: str, *, value: int) -> None:
        super().__init__(f"{name}={value}")
        self.value = value


def test_so_does_one_whose_constructor_takes_something_else() -> None:
    found = pickle.loads(pickle.dumps(_PluginError("rounds", value=-1)))
    assert (str(found), found.value) == ("rounds=-1", -1)
