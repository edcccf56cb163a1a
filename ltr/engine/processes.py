"""Processes that train one run in step: what one of them decides, all do.

Each process runs the whole program on its own devices, on equal data. Decisions that depend on a clock, a
file or a signal are made by process 0 or by all together, at the same places of the program.
"""

import contextlib
import json
from collections.abc import Callable, Iterator
from typing import TypeVar

import jax
import numpy as np
from jax.experimental import multihost_utils
from jaxtyping import PyTree

from ltr.hosts.member import PEER_LOST, Member, end_by_supervisor

Decision = TypeVar("Decision")

_SIGNS_OF_LOSS = ("Gloo", "NCCL", "coordination service")
"""Words in the errors of operations that another process takes no part in any more."""

_PIECE = 2**18
"""Bytes of one transfer; arrays of one size share a compiled program."""


def join(member: Member) -> None:
    """Join JAX's group of processes, before the first operation."""
    end_by_supervisor(member)
    jax.config.update("jax_enable_preemption_service", False)  # it would catch SIGTERM
    jax.distributed.initialize(
        member.address, member.count, member.index, cluster_detection_method="deactivate"
    )


@contextlib.contextmanager
def ending_with_others() -> Iterator[None]:
    """End by SystemExit, without a word, where an operation fails because another process is gone.

    The supervisors say which one.
    """
    try:
        yield
    except (jax.errors.JaxRuntimeError, ValueError) as error:
        if any(sign in str(error) for sign in _SIGNS_OF_LOSS):
            raise SystemExit(PEER_LOST) from None
        raise


def agreed(decide: Callable[[], Decision]) -> Decision:
    """Return what `decide` returns in process 0; elsewhere it is not called.

    What it returns is JSON: tuples become lists, and keys of dicts strings.
    """
    if jax.process_count() == 1:
        return decide()
    is_first = jax.process_index() == 0
    return json.loads(shared(json.dumps(decide()).encode() if is_first else b""))


def largest(number: int) -> int:
    """Return the largest number of all processes."""
    if jax.process_count() == 1:
        return number
    return int(multihost_utils.process_allgather(np.int32(number)).max())


def shared(content: bytes) -> bytes:
    """Return the bytes of process 0 in every process; `content` of others is ignored."""
    gibibytes, rest = multihost_utils.broadcast_one_to_all(np.array(divmod(len(content), 2**30), np.int32))
    size = int(gibibytes) * 2**30 + int(rest)
    pieces = [_piece(content[start : start + _PIECE]) for start in range(0, size, _PIECE)]
    return b"".join(pieces)[:size]


def _piece(content: bytes) -> bytes:
    """Return a piece of process 0, filled up to the size of all pieces."""
    padded = np.frombuffer(content.ljust(_PIECE, b"\0"), np.uint8)
    return np.asarray(multihost_utils.broadcast_one_to_all(padded)).tobytes()


def gathered(tree: PyTree[np.ndarray]) -> PyTree[np.ndarray]:
    """Join NumPy arrays of all processes along their leading axis, in the order of the processes."""
    if jax.process_count() == 1:
        return tree
    leaves, structure = jax.tree.flatten(tree)
    mine = np.concatenate([np.frombuffer(leaf.tobytes(), np.uint8) for leaf in leaves])
    of_all = np.asarray(multihost_utils.process_allgather(mine))
    ends = np.cumsum([leaf.nbytes for leaf in leaves])[:-1]
    joined = [
        np.frombuffer(part.tobytes(), leaf.dtype).reshape(-1, *leaf.shape[1:])
        for leaf, part in zip(leaves, np.split(of_all, ends, axis=1), strict=True)
    ]
    return jax.tree.unflatten(structure, joined)
