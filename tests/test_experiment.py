"""The paper's loop, end to end in this process: what it trains, from where, and how it is extended."""

import dataclasses
import itertools
import shutil
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

import jax
import numpy as np
import pandas as pd
import pytest

from ltr import arms, keys, masks, setup
from ltr import experiment as loop
from ltr.arms import lanes
from ltr.config import Experiment, to_dict
from ltr.errors import LtrError, StoppedError
from ltr.knobs import parse
from ltr.methods import weights
from ltr.pruning import criteria, selection
from ltr.pruning.criteria import Evidence
from ltr.setup import Setup
from ltr.store import checkpoints, tables
from ltr.store.folder import RunFolder, open_run, round_name
from ltr.store.tables import LaneId
from ltr.waves import Progress, Start

LAYERS = {"hidden_1": Fraction("0.2"), "hidden_2": Fraction("0.2"), "output": Fraction("0.1")}


class Watcher:
    """Notes the lanes that are trained; `end` says after how many visits the run is to stop."""

    def __init__(self, end: int | None = None) -> None:
        self.lanes: set[LaneId] = set()
        self.committed: list[int] = []
        self._end = end

    def begins(self, stage: str, lanes: int, effort: float) -> None: ...

    def resumes(self, steps: int) -> None: ...

    def visits(self, progress: Progress) -> LtrError | None:
        self.lanes |= set(progress.names)
        if self._end is None:
            return None
        self._end -= 1
        return StoppedError(2, "stopped") if self._end < 0 else None

    def ends(self, round: int) -> None:
        self.committed.append(round)


def ask(root: Path, **knobs: Any) -> Experiment:
    """A run of a second or so, unless `knobs` say otherwise."""
    small = {"steps": 40, "eval_every": 20, "rounds": 2, "replicates": 2, "output_root": str(root)}
    more = knobs.get("arm", {})
    defined = {name: {**arm, **more.get(name, {})} for name, arm in to_dict(Experiment().arm).items()}
    return parse(small | knobs | {"arm": defined})


@pytest.fixture(scope="module")
def ready() -> Callable[[Experiment], Setup]:
    """A setup for an experiment; those of the same network and data share one compiled program."""
    made: dict[Any, Setup] = {}

    def make(experiment: Experiment) -> Setup:
        outline = setup.outline(experiment)
        methods = frozenset(arms.methods(experiment))
        parts = (experiment.model, experiment.dataset, experiment.optimizer, experiment.batch_size)
        shared = (*parts, experiment.test_curves, methods)
        if shared not in made:
            made[shared] = setup.make(outline)
        return dataclasses.replace(made[shared], **vars(outline))

    return make


Run = Callable[..., Path]


@pytest.fixture(scope="module")
def run(ready: Callable[[Experiment], Setup]) -> Run:
    """Runs an experiment that `ask` takes below a folder; returns its run folder."""

    def run(root: Path, watch: Watcher | None = None, **knobs: Any) -> Path:
        experiment = ask(root, **knobs)
        with open_run(experiment) as folder:
            folder.begin(experiment, {}, {})
            loop.run(ready(experiment), folder, watch or Watcher())
            return folder.path

    return run


@pytest.fixture(scope="module")
def whole(run: Run, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished run of two prunings, two replicates and all arms; not to be altered."""
    return run(tmp_path_factory.mktemp("whole"))


@pytest.fixture
def copy(whole: Path, tmp_path: Path) -> Path:
    """A copy of that run, to be altered at will; its root is the parent."""
    return shutil.copytree(whole, tmp_path / "copy" / whole.name)


def saved(path: Path, name: str, replicate: int = 0) -> Any:
    return RunFolder(path).groups.load(name, replicate)


def contents(path: Path) -> dict[str, bytes]:
    """The bytes of the tables that repeat bit for bit."""
    return {name: (path / f"{name}.parquet").read_bytes() for name in ("metrics", "results")}


def assert_same(left: Any, right: Any) -> None:
    """Bit for bit."""
    assert jax.tree.structure(left) == jax.tree.structure(right)
    for one, other in zip(jax.tree.leaves(left), jax.tree.leaves(right), strict=True):
        assert np.asarray(one).tobytes() == np.asarray(other).tobytes()


def assert_same_run(left: Path, right: Path, rounds: int = 2, replicates: int = 2) -> None:
    """Tables and tickets, bit for bit."""
    assert contents(left) == contents(right)
    one, other = (RunFolder(path).groups for path in (left, right))
    for name in ["initial", *map(round_name, range(rounds + 1))]:
        for replicate in range(replicates):
            assert_same(one.load(name, replicate), other.load(name, replicate))


def kernels(mask: Any) -> dict[str, np.ndarray]:
    """The mask of each layer, by the layer's name."""
    return {path[-2].key: leaf for path, leaf in jax.tree.leaves_with_path(mask)}


# Tickets


def test_masks_are_nested_and_their_counts_exact(whole: Path) -> None:
    for replicate in (0, 1):
        before = kernels(saved(whole, "round_00", replicate)["mask"])
        assert all(layer.all() for layer in before.values())
        for round in (1, 2):
            now = kernels(saved(whole, round_name(round), replicate)["mask"])
            for (name, kept), rate in zip(now.items(), LAYERS.values(), strict=True):
                assert not (kept & ~before[name]).any()
                assert kept.sum() == before[name].sum() - int(rate * int(before[name].sum()))
            before = now


def test_the_weights_pruned_are_the_smallest_of_those_trained(whole: Path) -> None:
    trained, now = saved(whole, "round_01"), saved(whole, "round_02")
    layers = zip(
        kernels(trained["mask"]).values(),
        kernels(now["mask"]).values(),
        jax.tree.leaves(
            masks.tree_map(lambda m, w: None if m is None else w, now["mask"], trained["trained"])
        ),
        strict=True,
    )
    for before, kept, final in layers:
        assert np.abs(final[before & ~kept]).max() <= np.abs(final[kept]).min()


def test_a_ticket_starts_from_its_initial_weights_times_its_mask(whole: Path) -> None:
    for replicate in (0, 1):
        initial = saved(whole, "initial", replicate)["initial"]
        for round in (0, 1, 2):
            ticket = saved(whole, round_name(round), replicate)
            assert_same(ticket["start"], masks.apply(ticket["mask"], initial))


def test_pruned_weights_are_zero_after_training(whole: Path) -> None:
    ticket = saved(whole, "round_02")
    assert_same(ticket["trained"], masks.apply(ticket["mask"], ticket["trained"]))


def test_replicates_differ_in_weights_and_masks(whole: Path) -> None:
    one, other = saved(whole, "round_01", 0), saved(whole, "round_01", 1)
    for left, right in zip(jax.tree.leaves(one["mask"]), jax.tree.leaves(other["mask"]), strict=True):
        assert (left != right).any()
    assert not np.array_equal(one["start"]["output"]["kernel"], other["start"]["output"]["kernel"])


# Controls


@pytest.fixture(scope="module")
def starts(
    whole: Path, ready: Callable[[Experiment], Setup], tmp_path_factory: pytest.TempPathFactory
) -> dict[str, Start]:
    """What each arm started replicate 0 of round 2 from."""
    root = tmp_path_factory.mktemp("starts")
    shutil.copytree(whole, root / whole.name)
    experiment = ask(root)
    with open_run(experiment) as folder:
        made = ready(experiment)
        ticket = loop.find_ticket(made, folder, 2, 0)
        return {arm: loop.start(made, folder, LaneId(2, 0, arm, 0), ticket) for arm in experiment.arms}


def test_random_reinit_has_the_mask_of_the_ticket_and_weights_of_its_own(
    starts: dict[str, Start], whole: Path, ready: Callable[[Experiment], Setup]
) -> None:
    ticket = saved(whole, "round_02")
    key = keys.fold(keys.fold(keys.root(0, 0), "random_reinit", 2, 0), "weights")
    fresh = ready(ask(whole.parent)).init(key)
    assert_same(starts["random_reinit"].mask, ticket["mask"])
    assert_same(starts["random_reinit"].params, masks.apply(ticket["mask"], fresh))


def test_random_mask_keeps_the_counts_and_the_initial_weights(starts: dict[str, Start], whole: Path) -> None:
    ticket, mask = saved(whole, "round_02"), starts["random_mask"].mask
    for mine, shuffled in zip(jax.tree.leaves(ticket["mask"]), jax.tree.leaves(mask), strict=True):
        assert mine.sum() == shuffled.sum()
        assert (mine != shuffled).any()
    assert_same(starts["random_mask"].params, masks.apply(mask, saved(whole, "initial")["initial"]))


def test_one_shot_keeps_the_largest_weights_of_the_dense_network(
    starts: dict[str, Start], whole: Path
) -> None:
    ticket, dense, mask = saved(whole, "round_02"), saved(whole, "round_00"), starts["one_shot"].mask
    weights = masks.tree_map(lambda m, w: None if m is None else w, mask, dense["trained"])
    for mine, kept, trained in zip(*map(jax.tree.leaves, (ticket["mask"], mask, weights)), strict=True):
        assert mine.sum() == kept.sum()
        assert np.abs(trained[~kept]).max() <= np.abs(trained[kept]).min()
    assert_same(starts["one_shot"].params, masks.apply(mask, saved(whole, "initial")["initial"]))


def test_lanes_of_a_replicate_see_the_data_in_the_same_order(starts: dict[str, Start]) -> None:
    assert len({start.key.tobytes() for start in starts.values()}) == 1


def test_the_tables_hold_every_lane_with_its_density(whole: Path) -> None:
    results = tables.read(whole, "results")
    assert len(results) == 18
    for row in results.itertuples():
        mask = saved(whole, round_name(row.round), row.replicate)["mask"]
        assert row.density == masks.density(mask)


def test_asking_the_test_set_where_it_matters_changes_no_result(run: Run, tmp_path: Path) -> None:
    restless = {
        "optimizer": {"learning_rate": 0.05},
        "steps": 60,
        "eval_every": 3,
        "replicates": 1,
        "rounds": 1,
    }
    some, always = (run(tmp_path, **restless, test_curves=curves) for curves in (False, True))
    pd.testing.assert_frame_equal(tables.read(some, "results"), tables.read(always, "results"))
    asked, every = (tables.read(path, "metrics") for path in (some, always))
    assert 0 < asked["test_loss"].isna().sum() < len(asked)
    assert every["test_loss"].notna().all()
    pd.testing.assert_frame_equal(asked[asked["test_loss"].notna()], every[asked["test_loss"].notna()])


# Rewinding to a later step


def test_every_round_starts_from_the_dense_training_at_the_rewind_step(run: Run, tmp_path: Path) -> None:
    late = run(tmp_path, rewind_step=10, replicates=1)
    dense = saved(run(tmp_path, steps=10, rounds=0, replicates=1), "round_00")["trained"]
    for round in (1, 2):
        ticket = saved(late, round_name(round))
        assert_same(ticket["start"], masks.apply(ticket["mask"], dense))
    first = saved(late, "initial")
    assert_same(saved(late, "round_00")["start"], first["initial"])
    assert_same(first["origin"], dense)


def test_later_rounds_are_trained_from_the_rewind_step_on(run: Run, tmp_path: Path) -> None:
    metrics = tables.read(run(tmp_path, rewind_step=10, replicates=1, rounds=1), "metrics")
    by_round = {round: sorted(set(rows["step"])) for round, rows in metrics.groupby("round")}
    assert by_round == {0: [0, 20, 40], 1: [10, 20, 40]}


@pytest.mark.parametrize(
    ("name", "steps"),
    [("learning_rate", [10, 20, 40]), ("fine_tune", [40, 60, 70]), ("continued", [0, 20, 40])],
)
def test_trained_weights_go_on(name: str, steps: list[int], run: Run, tmp_path: Path) -> None:
    knobs = {"rewind": {"name": name}, "replicates": 1, "rounds": 1, "arms": ["ticket", "one_shot"]}
    path = run(tmp_path, **knobs, rewind_step=0 if name == "continued" else 10)
    before, ticket = saved(path, "round_00"), saved(path, "round_01")
    assert_same(ticket["start"], masks.apply(ticket["mask"], before["trained"]))
    metrics = tables.read(path, "metrics").query("round == 1")
    assert sorted(set(metrics["step"])) == steps
    one, other = (rows["val_loss"].tolist() for _, rows in metrics.groupby("arm"))
    assert one == other, "in round 1 one-shot is the ticket"


# Extending a run


@pytest.mark.parametrize(
    "before",
    [
        {"rounds": 1},
        {"replicates": 1},
        {"arms": ["ticket", "random_mask"]},
        {"arms": ["ticket"], "rounds": 1, "replicates": 1},
    ],
    ids=["rounds", "replicates", "arms", "everything"],
)
def test_an_extended_run_is_the_run_asked_for_at_once(
    before: dict[str, Any], run: Run, whole: Path, tmp_path: Path
) -> None:
    first, second = Watcher(), Watcher()
    run(tmp_path, first, **before)
    path = run(tmp_path, second)
    assert_same_run(path, whole)
    everything = [lane for round in range(3) for lane in lanes(ask(tmp_path), round)]
    assert first.lanes | second.lanes == set(everything)
    assert not first.lanes & second.lanes


def test_more_draws_extend_a_run(run: Run, tmp_path: Path) -> None:
    more = {"arm": {"random_reinit": {"draws": 3}}, "rounds": 1, "replicates": 1}
    watch = Watcher()
    run(tmp_path / "extended", rounds=1, replicates=1)
    extended = run(tmp_path / "extended", watch, **more)
    assert watch.lanes == {LaneId(1, 0, "random_reinit", 1), LaneId(1, 0, "random_reinit", 2)}
    assert_same_run(extended, run(tmp_path / "at_once", **more), rounds=1, replicates=1)


def test_draws_differ(run: Run, tmp_path: Path) -> None:
    path = run(tmp_path, rounds=1, replicates=1, arm={"random_mask": {"draws": 2}})
    metrics = tables.read(path, "metrics").query("arm == 'random_mask'")
    one, other = (rows["val_loss"].to_numpy() for _, rows in metrics.groupby("draw"))
    assert (one != other).all()


def test_a_finished_run_trains_nothing(run: Run, copy: Path) -> None:
    before, watch = contents(copy), Watcher()
    run(copy.parent, watch)
    assert (watch.lanes, watch.committed) == (set(), [])
    assert contents(copy) == before


def test_asking_for_less_trains_nothing_and_loses_nothing(run: Run, copy: Path) -> None:
    before, watch = contents(copy), Watcher()
    run(copy.parent, watch, rounds=1, replicates=1, arms=["ticket"])
    assert watch.lanes == set()
    assert contents(copy) == before


# Stopping, and what is lost


@pytest.mark.parametrize("visits", [1, 6])
def test_a_stopped_run_goes_on_as_if_it_had_not_been(
    visits: int, run: Run, whole: Path, tmp_path: Path
) -> None:
    with pytest.raises(StoppedError):
        run(tmp_path, Watcher(end=visits))
    path = tmp_path / whole.name
    assert checkpoints.is_whole(path / "checkpoints" / "under_way")
    assert_same_run(run(tmp_path), whole)
    assert not (path / "checkpoints" / "under_way").exists()


def test_a_run_may_be_extended_where_it_was_stopped(run: Run, whole: Path, tmp_path: Path) -> None:
    with pytest.raises(StoppedError):
        run(tmp_path, Watcher(end=4), replicates=1, arms=["ticket", "random_mask"])
    assert_same_run(run(tmp_path), whole)


def test_a_run_stopped_before_the_rewind_step_goes_on(run: Run, tmp_path: Path) -> None:
    knobs = {"rewind_step": 10, "replicates": 1, "rounds": 1}
    with pytest.raises(StoppedError):
        run(tmp_path / "stopped", Watcher(end=0), **knobs)
    path = run(tmp_path / "stopped", **knobs)
    assert_same_run(path, run(tmp_path / "alone", **knobs), rounds=1, replicates=1)


@pytest.mark.parametrize("name", ["initial", "round_00", "round_01", "round_02"])
def test_a_damaged_checkpoint_is_made_again(
    name: str, run: Run, whole: Path, copy: Path, caplog: pytest.LogCaptureFixture
) -> None:
    file = max((copy / "checkpoints" / name).rglob("d/*"), key=lambda path: path.stat().st_size)
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    file.write_bytes(content)
    watch = Watcher()
    assert_same_run(run(copy.parent, watch), whole)
    round = int(name[-2:]) if name != "initial" else None
    assert watch.lanes == {LaneId(round, replicate, "ticket", 0) for replicate in (0, 1) if round is not None}
    assert ["is damaged" in record.getMessage() for record in caplog.records] == [True]


@pytest.mark.parametrize("name", ["initial", "round_01"])
def test_a_lost_checkpoint_is_made_again(name: str, run: Run, whole: Path, copy: Path) -> None:
    shutil.rmtree(copy / "checkpoints" / name)
    assert_same_run(run(copy.parent), whole)


def test_lost_results_are_made_again(run: Run, whole: Path, copy: Path) -> None:
    tables.write(copy, "results", tables.read(copy, "results").query("round == 0 or arm == 'ticket'"))
    watch = Watcher()
    assert_same_run(run(copy.parent, watch), whole)
    assert {lane.arm for lane in watch.lanes} == {"random_reinit", "random_mask", "one_shot"}


# The program


def test_one_program_serves_every_round(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    traced = []
    moved = weights.moved

    def counted(*arguments: Any) -> Any:
        traced.append(1)
        return moved(*arguments)

    monkeypatch.setattr(weights, "moved", counted)
    experiment = ask(tmp_path, rewind_step=7, replicates=3, rounds=2, steps=30)
    made = setup.make(setup.outline(experiment))
    traced.clear()  # the step is traced once more to count its operations
    with open_run(experiment) as folder:
        loop.run(made, folder, Watcher())
    assert len(traced) == 1


def test_a_convolutional_network_is_pruned_globally(run: Run, tmp_path: Path) -> None:
    path = run(
        tmp_path,
        model={"name": "conv2", "width": 0.25},
        pruning={"scope": "global", "rates": {"output": 1.0}},
        replicates=1,
        arms=["ticket", "one_shot"],
        steps=4,
        eval_every=4,
    )
    kept = [masks.count(saved(path, round_name(round))["mask"]) for round in (0, 1, 2)]
    assert kept[1] == kept[0] - int(Fraction("0.2") * kept[0])
    assert kept[2] == kept[1] - int(Fraction("0.2") * kept[1])
    assert len(tables.read(path, "results")) == 5
    shares = [layer.mean() for layer in jax.tree.leaves(saved(path, "round_02")["mask"])]
    assert max(shares) - min(shares) > 0.1


def test_a_criterion_is_drawn_by_seed_replicate_and_round_and_once_for_one_shot(
    run: Run, ready: Callable[[Experiment], Setup], tmp_path: Path
) -> None:
    knobs = {"pruning": {"criterion": "random"}, "arms": ["ticket", "one_shot"], "steps": 4, "eval_every": 4}
    path = run(tmp_path, **knobs)
    made = ready(ask(tmp_path, **knobs))
    for replicate, round in itertools.product((0, 1), (1, 2)):
        before, now = (saved(path, round_name(n), replicate)["mask"] for n in (round - 1, round))
        key = keys.fold(keys.root(0, replicate), "criterion", round)
        scores = criteria.random(Evidence(before, before, before, key))
        assert_same(now, selection.layerwise(scores, before, made.targets[round]))
    with open_run(ask(tmp_path, **knobs)) as folder:
        for round, equal in ((1, True), (2, False)):
            ticket = loop.find_ticket(made, folder, round, 0)
            one_shot = loop.start(made, folder, LaneId(round, 0, "one_shot", 0), ticket)
            pairs = zip(*map(jax.tree.leaves, (ticket.mask, one_shot.mask)), strict=True)
            assert all(np.array_equal(one, other) for one, other in pairs) is equal


def test_one_shot_to_a_density(run: Run, tmp_path: Path) -> None:
    pruning = {"scope": "erk", "densities": [0.05], "rates": {"output": 1.0}}
    path = run(tmp_path, pruning=pruning, arms=["ticket"], steps=4, eval_every=4)
    counts = [layer.sum() for layer in kernels(saved(path, "round_01")["mask"]).values()]
    assert counts == [1045, 1149, 316]  # 5 % of 50,200 by 64 + 300, 300 + 100 and 100 + 10
    assert set(tables.read(path, "results")["round"]) == {0, 1}


def test_a_training_that_diverges_names_lane_and_step(run: Run, tmp_path: Path) -> None:
    with pytest.raises(LtrError, match=r"round 0, replicate 0, ticket, draw 0: .* at step \d+"):
        run(tmp_path, optimizer={"name": "sgd", "learning_rate": 1e9}, rounds=0, replicates=1)
    assert pd.DataFrame(tables.read(next(tmp_path.iterdir()), "results")).empty
