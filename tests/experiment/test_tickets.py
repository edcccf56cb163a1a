"""The ticket of each round: which weights it keeps, and where they start."""

from fractions import Fraction
from pathlib import Path

import jax
import numpy as np

from ltr.core import masks
from ltr.store.folder import round_name
from tests.experiment.runs import assert_same, kernels, saved

LAYERS = {"hidden_1": Fraction("0.2"), "hidden_2": Fraction("0.2"), "output": Fraction("0.1")}


def test_masks_are_nested_and_their_counts_exact(whole: Path) -> None:
    for replicate in (0, 1):
        before = kernels(saved(whole, "round_00", replicate)["mask"])
        assert all(layer.all() for layer in before.values())
        for round_number in (1, 2):
            now = kernels(saved(whole, round_name(round_number), replicate)["mask"])
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
        for round_number in (0, 1, 2):
            ticket = saved(whole, round_name(round_number), replicate)
            assert_same(ticket["start"], masks.apply(ticket["mask"], initial))


def test_pruned_weights_are_zero_after_training(whole: Path) -> None:
    ticket = saved(whole, "round_02")
    assert_same(ticket["trained"], masks.apply(ticket["mask"], ticket["trained"]))


def test_replicates_differ_in_weights_and_masks(whole: Path) -> None:
    one, other = saved(whole, "round_01", 0), saved(whole, "round_01", 1)
    for left, right in zip(jax.tree.leaves(one["mask"]), jax.tree.leaves(other["mask"]), strict=True):
        assert (left != right).any()
    assert not np.array_equal(one["start"]["output"]["kernel"], other["start"]["output"]["kernel"])
