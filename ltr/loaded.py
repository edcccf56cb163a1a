"""A run as data: its tables as data frames, its tickets as pytrees (`ltr.load`)."""

from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import pandas as pd

from ltr.analysis.summary import by_round, select
from ltr.analysis.verdicts import Verdict, asked_for, look, verdicts, with_look
from ltr.config.schema import Experiment
from ltr.errors import ConfigError
from ltr.store import looks, tables
from ltr.store.catalog import FINISHED, Run, find
from ltr.store.looks import Look

if TYPE_CHECKING:
    from ltr.store.groups import Groups


class Ticket(NamedTuple):
    """A ticket of a round; nested dictionaries of NumPy arrays, by layer.

    Attributes:
        mask: boolean, like the kernels; None for what is never pruned.
        start: weights that the round trained from, zero where the mask is False.
        trained: weights after its last step.
        initial: the whole network's weights, before any training.
    """

    mask: Any
    start: Any
    trained: Any
    initial: Any


class LoadedRun:
    """What a run found, of all the rounds, replicates, draws and arms that it was ever asked for.

    Tables are documented in `ltr.store.tables`; reading one that is damaged raises LtrError.
    """

    def __init__(self, run: Run) -> None:
        self.run = run
        self.folder = run.folder
        self.experiment: Experiment = run.experiment()

    def __repr__(self) -> str:
        return f"<ltr run {self.folder}, {self.run.status}>"

    @cached_property
    def results(self) -> pd.DataFrame:
        """A row per training."""
        return self._table("results")

    @cached_property
    def metrics(self) -> pd.DataFrame:
        """A row per evaluation."""
        return self._table("metrics")

    @cached_property
    def timings(self) -> pd.DataFrame:
        """Seconds of each training."""
        return self._table("timings")

    @property
    def rounds(self) -> pd.DataFrame:
        """A row per round and arm: means over replicates with 95 % intervals (`ltr.analysis.summary`)."""
        return by_round(self.results)

    @property
    def claims(self) -> pd.DataFrame:
        """A row per claim and round where it is tested: its verdict (`ltr.analysis.verdicts.Verdict`)."""
        rows = [{"claim": name, **one._asdict()} for name, of in self.verdicts.items() for one in of]
        return pd.DataFrame(rows)

    @cached_property
    def verdicts(self) -> dict[str, list[Verdict]]:
        """What the looks at the run decide of each claim, in the rounds and of the arms that it has."""
        return asked_for(self.experiment, verdicts(self._whole("results"), self.looks))

    @cached_property
    def looks(self) -> list[Look]:
        """The looks that were taken at the run; of one that was finished before they were kept, its one."""
        taken = looks.read(self.folder)
        if taken or self.run.info["status"] != FINISHED:
            return taken
        return with_look([], look(self._whole("results"), self.experiment))

    def ticket(self, round_number: int, replicate: int = 0) -> Ticket:
        """The ticket of a round; ConfigError if it is not there, LtrError if it is damaged."""
        from ltr.store.folder import round_name

        lanes = self.results[self.results["arm"] == "ticket"]
        is_asked = ((lanes["round"] == round_number) & (lanes["replicate"] == replicate)).any()
        if not is_asked or replicate not in self._groups.members(round_name(round_number)):
            known = sorted(lanes["round"].unique())
            rounds = f"rounds {known[0]} to {known[-1]}" if known else "no round yet"
            raise ConfigError(
                f"round {round_number}, replicate {replicate}: no such ticket in {self.folder}; "
                f"it has {rounds} of {self.experiment.replicates} replicates"
            )
        first = self._groups.load("initial", replicate)
        return Ticket(**self._groups.load(round_name(round_number), replicate), initial=first["initial"])

    @cached_property
    def _groups(self) -> "Groups":
        from ltr.store.groups import Groups  # and with it JAX, which tables can do without

        groups = Groups(self.folder / "checkpoints")
        groups.require_whole()
        return groups

    def _table(self, name: str) -> pd.DataFrame:
        return select(self._whole(name), self.experiment)

    def _whole(self, name: str) -> pd.DataFrame:
        return tables.read(self.folder, name)


def load(run: str | Path = "last", output_root: str | Path = "outputs") -> LoadedRun:
    """A run, to be looked at in Python.

    Args:
        run: its folder, id or the beginning of it, or "last".
        output_root: folder of the run folders.

    Raises:
        ConfigError: no run has that name, or more than one.
        LtrError: its `run.json` or configuration is damaged, or of another version of ltr.
    """
    return LoadedRun(find(Path(output_root), str(run)))
