"""Tickets of one run, trained in another: what they start from, and what is refused."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import jax
import numpy as np
import pytest

from ltr.cli import main
from ltr.config.schema import Experiment, Model, Pruning
from ltr.core import masks
from ltr.errors import ConfigError, LtrError
from ltr.experiment import compose, source_run, transfer
from ltr.models import registry as models
from ltr.store import catalog, tables
from ltr.store.folder import RunFolder, round_name

pytestmark = pytest.mark.usefixtures("compile_once", "rough_times")

SMALL = ["steps=40", "eval_every=20", "replicates=2", "arms=[ticket,random_reinit]", "sparse=never"]


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An output root with a run of two prunings, rewound to step 10."""
    root = tmp_path_factory.mktemp("runs")
    words = [*SMALL, f"output_root={root}", "rounds=2", "prune_rate=0.5", "rewind_step=10"]
    assert main(["run", *words]) == 0
    return root


@pytest.fixture(scope="module")
def source(root: Path) -> RunFolder:
    return RunFolder(catalog.find(root, "last").folder)


def run(root: Path, ticket: str, *words: str) -> RunFolder:
    """A run of the tickets by another optimizer."""
    asked = [*SMALL, f"output_root={root}", f"ticket={ticket}", "optimizer=sgd", *words]
    assert main(["run", *asked]) == 0
    return RunFolder(catalog.find(root, "last").folder)


def same(one: Any, other: Any) -> bool:
    return all(map(np.array_equal, jax.tree.leaves(one), jax.tree.leaves(other)))


def test_every_round_starts_from_the_other_runs_ticket(root: Path, source: RunFolder) -> None:
    transferred = run(root, source.path.name, "rounds=2")
    for replicate in (0, 1):
        rewind_params = source.groups.load("initial", replicate)["origin"]
        dense = transferred.groups.load("round_00", replicate)
        assert same(dense["start"], rewind_params)
        for round_number in (1, 2):
            theirs = source.groups.load(round_name(round_number), replicate)
            ours = transferred.groups.load(round_name(round_number), replicate)
            assert same(ours["mask"], theirs["mask"])
            assert same(ours["start"], masks.apply(theirs["mask"], rewind_params))
            assert not same(ours["trained"], theirs["trained"])
    results = tables.read(transferred.path, "results")
    assert sorted(set(results["round"])) == [0, 1, 2]
    assert set(results["arm"]) == {"ticket", "random_reinit"}


@pytest.mark.slow
def test_one_round_is_trained_beside_the_dense_network_alone(root: Path, source: RunFolder) -> None:
    transferred = run(root, f"{source.path.name}@2", "replicates=1")
    assert sorted(set(tables.read(transferred.path, "results")["round"])) == [0, 2]
    theirs = source.groups.load("round_02", 0)
    assert same(transferred.groups.load("round_02", 0)["mask"], theirs["mask"])


def test_there_are_no_more_rounds_than_the_other_run_has_densities(
    root: Path, source: RunFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    pruning = Pruning(scope="uniform", densities=(0.5, 0.25))
    recorded = catalog.Run.experiment
    monkeypatch.setattr(catalog.Run, "experiment", lambda of: replace(recorded(of), pruning=pruning))
    asked = Experiment(output_root=str(root), ticket=source.path.name, replicates=2)
    assert source_run.resolved(asked).rounds == 2


def test_the_other_run_is_part_of_what_a_run_is(root: Path, source: RunFolder) -> None:
    run_id = source.path.name.rsplit("-", 1)[-1]
    words = [*SMALL, f"output_root={root}", "rounds=2"]
    named, by_id, one, none = (
        compose.from_words([*words, *ticket])
        for ticket in ([f"ticket={source.path.name}"], [f"ticket={run_id[:6]}"], [f"ticket={run_id}@1"], [])
    )
    assert named == by_id
    assert named.ticket == source.path.name
    assert (named.prune_rate, none.prune_rate) == (0.5, 0.2), "pruned as the other run was"
    assert one.ticket == f"{source.path.name}@1"


@pytest.mark.slow
def test_last_typed_again_is_the_same_transfer(root: Path, source: RunFolder, capsys: Any) -> None:
    first = run(root, "last", "rounds=1", "seed=3")
    said = capsys.readouterr().err
    assert said.startswith(f"ticket=last: {source.path}\n")
    assert catalog.find(root, "last").folder == first.path, "written last, but itself a transfer"
    again = run(root, "last", "rounds=1", "seed=3")
    assert again.path == first.path
    assert "nothing to train" in capsys.readouterr().err
    assert f"ticket={source.path.name}" in first.facts["sessions"][0]["command"]


def test_last_is_a_newer_run_once_there_is_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    runs = [
        SimpleNamespace(settings={"ticket": "older"}, folder=tmp_path / "transfer"),
        SimpleNamespace(settings={}, folder=tmp_path / "newer"),
        SimpleNamespace(settings={}, folder=tmp_path / "older"),
    ]
    monkeypatch.setattr(catalog, "all_runs", lambda _: runs)
    monkeypatch.setattr(catalog, "read", lambda folder: next(run for run in runs if run.folder == folder))
    assert source_run._source(tmp_path, "last") is runs[1]
    monkeypatch.setattr(catalog, "all_runs", lambda _: runs[:1])
    with pytest.raises(ConfigError, match=r"^ticket=last: no run in .* has tickets of its own"):
        source_run._source(tmp_path, "last")


@pytest.mark.parametrize(
    ("status", "said"), [("stopped", "stopped"), ("running", "crashed"), ("failed", "failed")]
)
def test_a_source_that_is_not_finished_is_refused_by_name(
    status: str, said: str, root: Path, source: RunFolder
) -> None:
    before = source.facts
    source.describe(status=status)
    try:
        with pytest.raises(
            ConfigError, match=rf"^ticket=.*: {source.path} is not finished \({said}\); resume it"
        ):
            compose.from_words([*SMALL, f"output_root={root}", f"ticket={source.path.name}", "rounds=2"])
    finally:
        source.describe(**before)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["ticket=nothing"], r"^nothing: no run of that name"),
        (["ticket=SOURCE@x"], r"^ticket=.*@x: must be RUN or RUN@round"),
        (
            ["ticket=SOURCE", "rounds=5"],
            r"^ticket=.*: that run has no round_03",
        ),
        (["ticket=SOURCE@4"], r"^ticket=.*: that run has no round_04"),
        (
            ["ticket=SOURCE", "rounds=2", "replicates=3"],
            r"^ticket=.*: that run has no initial",
        ),
        (
            ["ticket=SOURCE", "rounds=2", "model=conv2"],
            r"^model.name=conv2: must be lenet_300_100 with",
        ),
        (["ticket=SOURCE", "rounds=2", "model.dropout=0.5"], r"^model.dropout=0.5: must be 0.0 with ticket="),
        (
            ["ticket=SOURCE", "rounds=2", "rewind=fine_tune"],
            r"^rewind=fine_tune: must be weights",
        ),
    ],
)
def test_transfers_that_cannot_be(words: list[str], message: str, root: Path, source: RunFolder) -> None:
    words = [word.replace("SOURCE", source.path.name) for word in words]
    with pytest.raises(ConfigError, match=message):
        compose.from_words([*SMALL, f"output_root={root}", *words])


@pytest.fixture
def tickets(root: Path, source: RunFolder) -> Callable[..., transfer.SourceTickets]:
    """The tickets of the run, for a network of other images or classes."""

    def made(shape: tuple[int, int, int], classes: int) -> transfer.SourceTickets:
        words = [*SMALL, f"output_root={root}", f"ticket={source.path.name}", "rounds=2"]
        model = models.build(Model(), shape, classes)
        shapes = jax.eval_shape(model.init, jax.random.key(0))
        return transfer.SourceTickets(compose.from_words(words), shapes)

    return made


def test_a_class_head_that_does_not_fit_is_drawn_anew_and_dense(
    tickets: Callable[..., transfer.SourceTickets], source: RunFolder
) -> None:
    model = models.build(Model(), (8, 8, 1), 7)
    drawn = jax.tree.map(np.asarray, model.init(jax.random.key(1)))
    found = tickets((8, 8, 1), 7)
    initial, mask = found.initial(0, drawn), found.mask(2, 0, masks.ones(drawn, model.layer_types))
    theirs = source.groups.load("round_02", 0)
    assert same(initial["output"], drawn["output"])
    assert mask["output"]["kernel"].shape == (100, 7)
    assert mask["output"]["kernel"].all()
    assert same(initial["dense_1"], source.groups.load("initial", 0)["origin"]["dense_1"])
    assert same(mask["dense_1"], theirs["mask"]["dense_1"])


def test_another_layer_that_does_not_fit_is_refused(tickets: Callable[..., transfer.SourceTickets]) -> None:
    message = r"ticket=.*: dense_1.kernel is float32\[64, 300\] there and float32\[784, 300\] here"
    with pytest.raises(ConfigError, match=message):
        tickets((28, 28, 1), 10)


def test_a_damaged_ticket_is_refused(
    tickets: Callable[..., transfer.SourceTickets], source: RunFolder
) -> None:
    file = source.path / "checkpoints" / "round_02" / "0-1.zip"
    content = file.read_bytes()
    file.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    try:
        with pytest.raises(LtrError, match=r"round_02/0-1.zip: damaged"):
            tickets((8, 8, 1), 10)
    finally:
        file.write_bytes(content)
