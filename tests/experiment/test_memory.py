"""Memory of a run, against counts by hand; and what happens where it does not fit."""

import math

import jax
import pytest

from ltr.core import machine
from ltr.core.shares import WHOLE, Shares
from ltr.engine import devices
from ltr.engine.devices import Placement
from ltr.errors import ConfigError
from ltr.experiment.compose import from_words
from ltr.experiment.memory import Memory, memory, scratch
from ltr.experiment.placement import USED, fitted, lanes_that_fit, needed
from ltr.experiment.spec import RunSpec
from ltr.models.arithmetic import XLA, Arithmetic

pytestmark = pytest.mark.usefixtures("compile_once")

WORDS = ("model.width=0.1", "steps=20", "rounds=1", "replicates=2", "arms=[ticket]", "arithmetic=xla")


def spec(*words: str) -> RunSpec:
    return RunSpec.from_experiment(from_words([*WORDS, *words]))


def need(*words: str) -> Memory:
    return memory(spec(*words), XLA)


def fit(run: RunSpec, said: list[str]) -> RunSpec:
    return fitted(run, needed(run), said.append)


def weights() -> tuple[int, int]:
    """Number of parameters, and of those that a mask has."""
    of = spec()
    return sum(leaf.size for leaf in jax.tree.leaves(of.shapes)), 64 * 30 + 30 * 10 + 10 * 10


@pytest.mark.parametrize(
    ("optimizer", "moments", "numbers"), [("adam", 2, 2), ("momentum", 1, 1), ("sgd", 0, 1)]
)
def test_a_lane_has_weights_best_weights_moments_and_a_mask(
    optimizer: str, moments: int, numbers: int
) -> None:
    """Beside them the key, the sum of losses, the best loss, and counters of the optimizer."""
    parameters, kept = weights()
    expected = 4 * parameters * (2 + moments) + kept
    assert expected < need(f"optimizer={optimizer}").state <= expected + 8 + 4 * (2 + numbers)


def test_a_lane_has_what_its_method_keeps() -> None:
    """A supermask keeps the weights of its kernels beside their scores."""
    _, kept = weights()
    more = need("arms=[ticket,supermask]").state - need().state
    assert 4 * kept <= more <= 4 * kept + 16


def test_the_data_set_has_all_splits_and_those_of_evaluation_once_more() -> None:
    """Digits: 1,300 examples to train, and 137 and 360 in five batches of 120; 64 bytes and a label each."""
    expected = (1300 + 2 * 5 * 120) * (64 + 4)
    assert need("dataset.validation=137").data == pytest.approx(expected, abs=50)


def test_networks_are_those_of_replicates_and_of_the_lanes_of_a_round() -> None:
    parameters, kept = weights()
    assert need().networks == 2 * (4 * 5 * parameters + 2 * kept) + 2 * (4 * parameters + kept)
    more = need("arms=[ticket,random_mask]").networks - need().networks
    assert more == 2 * (4 * parameters + kept)
    assert need("rewind_step=5").networks - need().networks == 2 * 4 * parameters


def test_winograds_planes_are_counted() -> None:
    """Of the forward pass and of the gradient, 36 planes of the kernel and of 60 tiles, in and out."""
    conv2 = spec("model=conv2", "dataset=cifar10", "model.width=1")
    plane, tiles = 64 * 64, 60 * (64 + 64)
    assert scratch(conv2, Arithmetic({"conv_1": 4, "conv_2": 4})) == 2 * 36 * (plane + tiles) * 4
    assert scratch(conv2, XLA) == 0


def test_lanes_on_an_accelerator_share_its_data() -> None:
    placed = Placement(tuple(jax.devices()[:1]), 3)
    of = Memory(process=1000, data=100, networks=10, state=3, temporaries=4)
    assert of.of_device(placed) == 100 + 3 * (3 + 4)
    assert of.of_host(placed) == 1110 + 3 * (3 * 3 + 4)
    run = spec()
    of = run.memory(WHOLE)
    lane = of.state + of.temporaries
    assert lanes_that_fit(run, WHOLE, math.ceil((of.data + 5 * lane + 1) / USED)) == 5
    assert lanes_that_fit(run, WHOLE, 1) == 1


def test_a_share_of_a_batch_needs_its_share_of_the_intermediate_values() -> None:
    run = spec("model=conv2", "dataset=cifar10", "model.width=1", "batch_size=1200")
    whole, half = run.memory(WHOLE), run.memory(Shares(2))
    assert half.state == whole.state
    assert half.temporaries == pytest.approx(whole.temporaries / 2, rel=0.2)


def test_devices_that_share_batches_hold_the_same_lanes() -> None:
    placed = Placement(tuple(jax.devices()[:2]), 3, splits_batches=True)
    of = Memory(process=1000, data=100, networks=10, state=3, temporaries=4)
    assert of.of_device(placed) == 100 + 3 * (3 + 4)
    assert of.of_host(placed) == 1110 + 3 * 2 * 3 + 2 * 3 * (3 + 4)


class TestWhereMemoryIsShort:
    @pytest.fixture
    def said(self) -> list[str]:
        return []

    def limited(self, monkeypatch: pytest.MonkeyPatch, lanes: float) -> None:
        """A machine whose memory holds so many lanes beside everything else."""
        of = need()
        shared, lane = of.process + of.data + of.networks, 3 * of.state + of.temporaries
        monkeypatch.setattr(machine, "memory", lambda: math.ceil(shared + lanes * lane))

    def test_all_lanes_that_fit_train_side_by_side(
        self, monkeypatch: pytest.MonkeyPatch, said: list[str]
    ) -> None:
        self.limited(monkeypatch, 2)
        run = spec()
        assert fit(run, said) is run
        assert said == []

    def test_an_unknown_memory_limits_nothing(self, monkeypatch: pytest.MonkeyPatch, said: list[str]) -> None:
        monkeypatch.setattr(machine, "memory", lambda: None)
        run = spec()
        assert fit(run, said) is run

    def test_fewer_train_side_by_side_and_one_line_says_so(
        self, monkeypatch: pytest.MonkeyPatch, said: list[str]
    ) -> None:
        self.limited(monkeypatch, 1.5)
        assert fit(spec(), said).experiment.devices == 1
        (line,) = said
        assert line.startswith("ltr: trains 1 lane side by side, not 2: devices=2, lanes_per_device=1: needs")

    def test_a_number_of_devices_that_is_asked_for_is_kept(
        self, monkeypatch: pytest.MonkeyPatch, said: list[str]
    ) -> None:
        self.limited(monkeypatch, 1.5)
        with pytest.raises(ConfigError, match=r"^devices=2, .* fits with devices=1 lanes_per_device=1; "):
            fit(spec("devices=2"), said)

    def test_one_device_does_not_take_all_lanes_instead(
        self, monkeypatch: pytest.MonkeyPatch, said: list[str]
    ) -> None:
        """One device would train both lanes at once, in as much memory as two devices need."""
        self.limited(monkeypatch, 1.5)
        refusal = r"^devices=1, lanes_per_device=2: .* fits with devices=1 lanes_per_device=1; "
        with pytest.raises(ConfigError, match=refusal):
            fit(spec("lanes_per_device=2"), said)

    def test_a_run_that_cannot_fit_is_refused(self, monkeypatch: pytest.MonkeyPatch, said: list[str]) -> None:
        self.limited(monkeypatch, 0.5)
        refusal = r"^devices=1, lanes_per_device=1: needs about .*, this machine has .*; lower batch_size=60"
        with pytest.raises(ConfigError, match=refusal):
            fit(spec(), said)

    def test_the_refusal_names_what_decides_the_size_and_the_way_around_it(
        self, monkeypatch: pytest.MonkeyPatch, said: list[str]
    ) -> None:
        self.limited(monkeypatch, 0.5)
        refusal = r"=60 or model.width=0.1, or .* than model=lenet_300_100; .* check_memory=false$"
        with pytest.raises(ConfigError, match=refusal):
            fit(spec(), said)

    def test_a_network_that_fits_on_no_device_may_share_its_batches(
        self, monkeypatch: pytest.MonkeyPatch, said: list[str]
    ) -> None:
        run = spec("model=conv2", "dataset=cifar10", "lanes_per_device=1", "parallel=lanes")
        whole, half = (run.memory(Shares(count)) for count in (1, 2))
        limit = (whole.state + whole.temporaries + half.state + half.temporaries) // 2 + whole.data
        monkeypatch.setattr(devices, "memory", lambda device: limit)
        with pytest.raises(ConfigError, match=r"; fits with parallel=batch devices=2 lanes_per_device=1; "):
            fitted(run, whole, said.append)

    @pytest.mark.parametrize("words", [(), ("devices=2",)])
    def test_a_run_whose_memory_is_not_checked_trains_as_asked_and_one_line_warns(
        self, words: tuple[str, ...], monkeypatch: pytest.MonkeyPatch, said: list[str]
    ) -> None:
        self.limited(monkeypatch, 0.5)
        run = spec("check_memory=false", *words)
        assert fit(run, said) is run
        (line,) = said
        assert line.startswith("ltr: check_memory=false: devices=2, lanes_per_device=1: needs about")
