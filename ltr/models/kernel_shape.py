"""Shapes of kernels: which of their dimensions a layer sums over, and which are its outputs."""

import math
from dataclasses import dataclass

import numpy as np
from jaxtyping import Shaped

from ltr.errors import LtrError


@dataclass(frozen=True)
class KernelShape:
    """The shape of a kernel and the role of each dimension.

    Dense kernels are "io", of convolutions "wwio". In attention those of query, key and value are "ioo",
    [features, heads, head size], and that of the output is "iio", [heads, head size, features].

    Attributes:
        layer: the name of the layer, for messages.
        shape: sizes of the dimensions.
        roles: a letter for each: "c" of copies of the layer, each with inputs and outputs of its own; "w" of
            the window of a convolution; "i" of inputs; "o" of outputs. Empty if they are not known.
        groups: parts of equal size into which the outputs fall, in order, each with inputs of its own.
    """

    layer: str
    shape: tuple[int, ...]
    roles: str
    groups: int = 1

    @property
    def size(self) -> int:
        """Number of weights."""
        return math.prod(self.shape)

    @property
    def fan_in(self) -> int:
        """Number of weights that an output sums over."""
        return self._product("wi")

    @property
    def erk_sum(self) -> int:
        """Sum n_in + n_out + k_h + k_w of Erdos-Renyi-Kernel (Evci et al., 2020), over all copies."""
        window = (self.shape[dimension] for dimension in self._dimensions("w"))
        return self._product("c") * (sum(window) + self._product("i") + self._product("o"))

    def __str__(self) -> str:
        """Return the roles in words, as in [window, window, in, out]; empty if they are not known."""
        words = {"c": "copy", "w": "window", "i": "in", "o": "out"}
        return f"[{', '.join(words[role] for role in self.roles)}]" if self.roles else ""

    def by_input(self, kernel: Shaped[np.ndarray, "..."]) -> Shaped[np.ndarray, "inputs outputs"]:
        """Return an array like the kernel as rows, each of one input of a group.

        In a convolution an input is a channel at a place of the window.
        """
        return kernel.transpose(self._dimensions("cwio")).reshape(-1, self._product("o") // self.groups)

    def from_by_input(self, rows: Shaped[np.ndarray, "inputs outputs"]) -> Shaped[np.ndarray, "..."]:
        """Return the kernel of rows that `by_input` returned."""
        order = self._dimensions("cwio")
        return rows.reshape([self.shape[dimension] for dimension in order]).transpose(np.argsort(order))

    def by_output(self, kernel: Shaped[np.ndarray, "..."]) -> Shaped[np.ndarray, "outputs fan_in"]:
        """Return an array like the kernel as rows, each of one output."""
        rows, columns = self._dimensions("co"), self._dimensions("wi")
        count = math.prod(kernel.shape[dimension] for dimension in rows)
        return kernel.transpose(rows + columns).reshape(count, kernel.size // count)

    def _dimensions(self, roles: str) -> list[int]:
        """Return the dimensions that have one of these roles, ordered by role; LtrError if unknown."""
        if not self.roles:
            raise LtrError(
                f"layer {self.layer}: the input dimensions of its kernel, of shape {self.shape}, are unknown"
            )
        return [
            dimension
            for role in roles
            for dimension in range(len(self.shape))
            if self.roles[dimension] == role
        ]

    def _product(self, roles: str) -> int:
        return math.prod(self.shape[dimension] for dimension in self._dimensions(roles))
