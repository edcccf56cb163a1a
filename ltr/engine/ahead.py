"""Compilation ahead of need: the version of a function for coming shapes compiles while another one runs."""

import threading
from collections.abc import Callable, Hashable
from concurrent.futures import Future
from typing import Any

import jax

from ltr.engine.devices import Parallel


class CompiledAhead:
    """Function with a compiled version for each structure of its arguments: shapes, types and tree.

    Threads that need a version which another thread compiles wait for it.
    """

    def __init__(self, function: Parallel) -> None:
        self._function = function
        self._versions: dict[Hashable, Future[Callable[..., Any]]] = {}
        self._lock = threading.Lock()

    def version(self, *arguments: Any) -> Callable[..., Any]:
        """Return the version for arguments of this structure, arrays or `jax.ShapeDtypeStruct`.

        It is compiled if it is not there.
        """
        structure = _structure(arguments)
        with self._lock:
            found = self._versions.get(structure)
            version = found or self._versions.setdefault(structure, Future())
        if found is None:
            try:
                version.set_result(self._function.lower(*arguments).compile())
            except BaseException as error:
                del self._versions[structure]
                version.set_exception(error)
        return version.result()


def _structure(arguments: Any) -> Hashable:
    leaves, tree = jax.tree.flatten(arguments)
    return tree, tuple((leaf.shape, leaf.dtype) for leaf in leaves)
