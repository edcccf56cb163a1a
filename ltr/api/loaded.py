"""Loaded runs: tables as data frames and tickets as pytrees (`ltr.load`)."""

import contextlib
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import pandas as pd

from ltr import plugins
from ltr.addresses import local, shown
from ltr.analysis.search_race import Searched, is_race, race_of
from ltr.analysis.summary import by_round, select
from ltr.analysis.verdicts import Verdict, look, requested_verdicts, verdicts, with_look
from ltr.config import names
from ltr.config.schema import Experiment
from ltr.errors import ConfigError, LtrError
from ltr.report import formatting
from ltr.store import fetching, looks, tables
from ltr.store.catalog import CHECKPOINTS, FINISHED, Run, find
from ltr.store.chains import End, ends
from ltr.store.looks import Look

if TYPE_CHECKING:
    from ltr.models.model import Model
    from ltr.store.groups import Groups


class Ticket(NamedTuple):
    """Ticket of a round: nested dictionaries of NumPy arrays, by layer.

    Attributes:
        mask: boolean arrays, shaped like the kernels; None for parameters that are never pruned.
        start: weights at the start of the round, zero where the mask is False.
        trained: weights after the last step of the round.
        initial: unpruned weights of the whole network before any training.
    """

    mask: Any
    start: Any
    trained: Any
    initial: Any


class LoadedRun:
    """Results of a run: all rounds, replicates, draws and arms ever requested for it.

    `ltr.store.tables` documents the tables. Reading a damaged table raises LtrError.
    """

    def __init__(self, run: Run) -> None:
        self.run = run
        self.folder = run.folder
        self.experiment: Experiment = run.experiment()

    def __repr__(self) -> str:
        return shown(f"<ltr run {self.folder}, {self.run.status}>")

    def require_plugins(self) -> None:
        """Raise LtrError if the run names an entry, such as a network, that no installed plug-in adds."""
        try:
            names.require_known(self.experiment)
        except ConfigError as error:
            raise LtrError(f"{self.folder}: {plugins.lacking(self.run.plugins) or error}") from None

    def _repr_html_(self) -> str:
        """Return the HTML for a notebook: accuracies by round and arm, the race, and the verdicts."""
        from ltr.report import html, race, tables
        from ltr.report.outcome import findings

        head = html.paragraphs([shown(f"{self.folder}, {self.run.status}")])
        if self.results.empty:
            return head
        summary = self.rounds
        table = html.rounds_table(summary, tables.accuracy_title(summary), tables.accuracy)
        sentences = findings(self.results, self.experiment, self.verdicts)
        return head + table + html.preformatted(race.text(self.race)) + html.paragraphs(sentences)

    @cached_property
    def results(self) -> pd.DataFrame:
        """Table with a row per training."""
        return self._table("results")

    @cached_property
    def metrics(self) -> pd.DataFrame:
        """Table with a row per evaluation."""
        return self._table("metrics")

    @cached_property
    def timings(self) -> pd.DataFrame:
        """Table of the seconds that each training took."""
        return self._table("timings")

    @property
    def rounds(self) -> pd.DataFrame:
        """Table with a row per round and arm: means and 95 % intervals (see `ltr.analysis.summary`)."""
        return by_round(self.results)

    @property
    def claims(self) -> pd.DataFrame:
        """Table with a row per claim and tested round (see `ltr.analysis.verdicts.Verdict`)."""
        return pd.DataFrame(
            [
                {"claim": name, **verdict._asdict()}
                for name, verdicts in self.verdicts.items()
                for verdict in verdicts
            ]
        )

    @property
    def race(self) -> pd.DataFrame:
        """Table with a row per density and search (see `ltr.analysis.search_race`); empty without a race."""
        if not is_race(self.experiment):
            return pd.DataFrame()
        return race_of(Searched(self.experiment, self.results, self.timings))

    @cached_property
    def model(self) -> "Model":
        """Network of the run; LtrError if the plug-in that adds it, or data that shape it, are not here."""
        from ltr.data.dataset import describe
        from ltr.models.registry import build

        self.require_plugins()
        images = describe(self.experiment.dataset)
        return build(self.experiment.model, images.shape, images.classes)

    @cached_property
    def verdicts(self) -> dict[str, list[Verdict]]:
        """Verdicts of each claim by the looks at the run, for its rounds and arms."""
        return requested_verdicts(self.experiment, verdicts(self._whole("results"), self.looks))

    @cached_property
    def looks(self) -> list[Look]:
        """Looks at the run; a run that was finished before looks were recorded has one."""
        taken = looks.read(self.folder)
        if taken or self.run.info["status"] != FINISHED:
            return taken
        return with_look([], look(self._whole("results"), self.experiment))

    def ticket(self, round_number: int, replicate: int = 0) -> Ticket:
        """Return the ticket of a round; ConfigError if there is none, DamageError if it is lost."""
        from ltr.store.folder import round_name
        from ltr.store.groups import INITIAL

        lanes = self._tickets
        is_trained = ((lanes["round"] == round_number) & (lanes["replicate"] == replicate)).any()
        if not is_trained:
            end = self.ended.get(replicate)
            why = f"; replicate {replicate} ended in round {end.round}" if end else ""
            raise ConfigError(
                f"round {round_number}, replicate {replicate}: no such ticket in {self.folder}; "
                f"it has {self.ticket_rounds}{why}"
            )
        for name in (INITIAL, round_name(round_number)):
            fetching.fetch_below(self.folder, f"{CHECKPOINTS}/{name}")
        first = self._groups.load(INITIAL, replicate)
        return Ticket(**self._groups.load(round_name(round_number), replicate), initial=first["initial"])

    def diverged_step(self, round_number: int, replicate: int = 0) -> int | None:
        """Return the step at which a ticket was found to have diverged; None if it did not."""
        lanes = self._tickets
        lane = lanes[(lanes["round"] == round_number) & (lanes["replicate"] == replicate)]
        steps = lane["diverged_step"].dropna()
        return int(steps.iloc[0]) if len(steps) else None

    def require_checkpoints(self) -> None:
        """Raise DamageError if a checkpoint of the run is damaged or missing."""
        from ltr.store.folder import saved_with

        fetching.fetch_below(self.folder, CHECKPOINTS)
        self._groups.require_whole(saved_with(self._whole("results")))

    @property
    def ticket_rounds(self) -> str:
        """Rounds and replicates that have tickets, as in `rounds 0 to 15 of 8 replicates`."""
        known = sorted(self._tickets["round"].unique())
        if not known:
            return "no round yet"
        replicates = formatting.replicates([self.experiment.replicates])
        return f"{'rounds' if len(known) > 1 else 'round'} {formatting.ranges(known)} of {replicates}"

    @property
    def ended(self) -> dict[int, End]:
        """Ends of the replicates whose later rounds are not trained (see `ltr.store.chains`)."""
        return ends(self.results, self.experiment)

    @property
    def _tickets(self) -> pd.DataFrame:
        """Rows of the results of tickets that were trained."""
        return self.results[(self.results["arm"] == "ticket") & self.results["emptied_layer"].isna()]

    @cached_property
    def _groups(self) -> "Groups":
        import jax  # which tables do not need

        from ltr.store.groups import Groups

        groups = Groups(self.folder / CHECKPOINTS)
        with contextlib.suppress(LtrError):  # the plug-in or the data are not here
            groups.expect(jax.eval_shape(self.model.init, jax.random.key(0)), self.model.layer_types)
        return groups

    def _table(self, name: str) -> pd.DataFrame:
        return select(self._whole(name), self.experiment)

    def _whole(self, name: str) -> pd.DataFrame:
        return tables.read(self.folder, name)


def load(run: str | Path = "last", output_root: str | Path = "outputs") -> LoadedRun:
    """Load a run.

    Example:
        ```python
        ltr.load("last").rounds
        ```

    Args:
        run: folder of the run, its id, the beginning of either, or "last".
        output_root: folder of the run folders, or its address in a bucket.

    Raises:
        ConfigError: no run has that name, or more than one.
        LtrError: `run.json` or the configuration is damaged, or was written by another version of ltr.
    """
    return LoadedRun(find(local(str(output_root)), str(run)))
