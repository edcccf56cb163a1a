"""Titles of figures and pages, in words."""

import re

import pytest

from ltr.config.parse import parse
from ltr.data import registry as data
from ltr.data.registry import distributed
from ltr.experiment.titles import title
from ltr.models import registry as models
from ltr.models.registry import NETWORKS


@pytest.mark.parametrize(
    ("model", "dataset", "expected"),
    [
        ({}, {}, "LeNet-300-100 on digits"),
        ({"name": "conv2", "width": 0.5}, {"name": "cifar10"}, "Conv-2 (width 0.5) on CIFAR-10"),
        ({"name": "wide_resnet"}, {"name": "cifar100"}, "WRN-28-10 on CIFAR-100"),
        ({}, {"name": "custom", "path": "gone/leaves.npz"}, "LeNet-300-100 on leaves"),
        (
            {"name": "wide_resnet", "width": 0.1, "options": {"blocks": 2}},
            {"name": "cifar10"},
            "WRN-28-10 (width 0.1, blocks 2) on CIFAR-10",
        ),
        ({"name": "of_a_package_that_is_gone"}, {"name": "gone"}, "of_a_package_that_is_gone on gone"),
    ],
)
def test_network_and_data_are_named_as_papers_write_them(
    model: dict[str, object], dataset: dict[str, object], expected: str
) -> None:
    assert title(parse({"model": model, "dataset": dataset})) == expected


def test_no_title_is_a_knob() -> None:
    titles = [
        *(network.title for network in NETWORKS.values()),
        *(entry.title for entry in distributed().values()),
    ]
    assert len(set(titles)) == len(titles)
    assert [one for one in titles if not re.fullmatch(r"digits|[A-Z][\w/-]*( \w+)?", one) or "_" in one] == []
    assert models.title(parse({"model": {"name": "vgg19"}}).model) == "VGG-19"
    assert data.title(parse({"dataset": {"name": "fashion_mnist"}}).dataset) == "Fashion-MNIST"
