"""Processes of `ltr run` below a folder: forked from one that has imported everything, or fresh."""

import itertools
import multiprocessing
import random
import signal
import time
from collections.abc import Sequence
from multiprocessing.process import BaseProcess
from pathlib import Path

from tests.kills.victim import UNDISTURBED, Fate, live

IMPORTED = (
    *("tests.kills.victim", "ltr.experiment.runner", "ltr.sweeps.sweep", "ltr.data.digits"),
    *("hydra.core.override_parser.overrides_parser", "filelock", "rich.table", "pyarrow.pandas_compat"),
    *("orbax.checkpoint", "orbax.checkpoint.experimental.v1", "tensorflow_datasets.public_api"),
    *("matplotlib.style", "matplotlib.backends.backend_agg", "matplotlib.backends.backend_svg"),
    *("scipy.optimize", "sklearn.datasets", "sklearn.model_selection"),
)
"""What `ltr run` imports, most of it late."""

FORKED, FRESH = "forkserver", "spawn"
"""Ways to start a process.

A fresh one is a new Python, which imports everything: half of the time of these runs. A forked one is a copy
of a server that has imported it, and has done nothing else: JAX has no devices, and no thread of Python's
runs. From there it does what the fresh one does, from the words of the command line to its end. It differs
in the seed of Python's hashes, which all copies share, and in the order of the imports. A test shows that
both end in the same bits.
"""

LAST_BOUNDARY = 12
"""Highest number of a boundary at which a process of a storm is killed."""


class Processes:
    """Processes of one command, one after another.

    Attributes:
        root: output root.
        kind: `FORKED` or `FRESH`.
    """

    def __init__(self, root: Path, words: Sequence[str], kind: str = FORKED) -> None:
        self.root, self.kind = root, kind
        self._words = ("run", f"output_root={root}", *words)
        self._errors = root.with_name(f"{root.name}.errors.txt")

    def start(self, fate: Fate = UNDISTURBED) -> BaseProcess:
        """Start a process of this fate."""
        self._errors.unlink(missing_ok=True)
        context = multiprocessing.get_context(self.kind)
        process = context.Process(target=live, args=(self._words, fate, self._errors), daemon=True)
        process.start()
        return process

    def has_ended(self, process: BaseProcess) -> bool:
        """Wait for a process; return whether it ended by itself, and not by SIGKILL."""
        process.join()
        assert process.exitcode in (0, -signal.SIGKILL), self._errors.read_text()
        return process.exitcode == 0

    def end(self, fate: Fate = UNDISTURBED) -> float:
        """Run to the end; return the seconds that it took."""
        began = time.monotonic()
        assert self.has_ended(self.start(fate))
        return time.monotonic() - began

    def storm(self, generator: random.Random, seconds: float) -> int:
        """Kill processes until one ends by itself; return how many were killed.

        Args:
            generator: draws whether each is killed at a boundary or at a moment, and which.
            seconds: about as long as an undisturbed process takes.
        """
        return next(kills for kills in itertools.count() if self._has_survived(generator, seconds))

    def _has_survived(self, generator: random.Random, seconds: float) -> bool:
        at_boundary = generator.random() < 0.7
        boundary = generator.randint(1, LAST_BOUNDARY) if at_boundary else 0
        process = self.start(Fate(boundary, generator.choice(["before", "after"])))
        if not at_boundary:
            process.join(generator.uniform(0, seconds))
            process.kill()
        return self.has_ended(process)
