"""Networks in PyTorch are those of ltr; skipped where PyTorch is not installed."""

import jax
import pytest

from ltr.benchmark.torch_baseline import NETWORKS, is_known, task
from ltr.experiment.compose import from_words
from ltr.experiment.spec import RunSpec


@pytest.mark.parametrize("name", NETWORKS)
def test_pytorch_trains_as_many_parameters(name: str) -> None:
    torch_networks = pytest.importorskip("ltr.benchmark.torch_networks", exc_type=ImportError)
    experiment = from_words(["dataset=cifar10", f"model={name}"])
    family, options = NETWORKS[name]
    network = torch_networks.FAMILIES[family]((3, 32, 32), 10, **options)
    state = network.state_dict().items()  # ltr's running means and variances are parameters
    sizes = sorted(tuple(sorted(value.shape)) for key, value in state if "num_batches" not in key)
    own = jax.tree.leaves(RunSpec.from_experiment(experiment).shapes)
    assert sizes == sorted(tuple(sorted(leaf.shape)) for leaf in own)


@pytest.mark.parametrize("name", NETWORKS)
def test_the_output_is_of_every_class(name: str) -> None:
    torch = pytest.importorskip("torch")
    torch_networks = pytest.importorskip("ltr.benchmark.torch_networks", exc_type=ImportError)
    family, options = NETWORKS[name]
    network = torch_networks.FAMILIES[family]((3, 32, 32), 7, **options)
    assert network(torch.ones(2, 3, 32, 32)).shape == (2, 7)


@pytest.mark.parametrize(
    ("words", "name", "options"),
    [
        (
            ["optimizer=adam", "optimizer.weight_decay=0.1"],
            "Adam",
            {"lr": 0.0012, "weight_decay": 0.1, "decoupled_weight_decay": True},
        ),
        (
            ["experiment=cifar10_resnet20"],
            "SGD",
            {"lr": 0.01, "weight_decay": 0.0001, "momentum": 0.9},
        ),
        (["optimizer=sgd", "optimizer.learning_rate=0.5"], "SGD", {"lr": 0.5, "weight_decay": 0.0}),
    ],
)
def test_pytorch_has_the_optimizer_of_the_experiment(words: list[str], name: str, options: dict) -> None:
    found = task(from_words(["dataset=cifar10", *words]), core=1)
    assert (found["optimizer"], found["optimizer_options"]) == (name, options)
    assert found["core"] == 1


def test_pytorch_has_the_network_and_the_batches_of_the_experiment() -> None:
    found = task(from_words(["experiment=cifar10_resnet20"]), core=0)
    assert found["network"] == {"family": "resnet", "options": {"groups": [16, 32, 64], "blocks": 3}}
    assert (found["batch_size"], found["image"], found["classes"]) == (128, (32, 32, 3), 10)


@pytest.mark.parametrize(
    ("word", "known"),
    [
        ("model=conv4", True),
        ("model=resnet20", True),
        ("optimizer=momentum", True),
        ("optimizer.weight_decay=0.1", True),
        ("model=vit_tiny", False),
        ("model.width=0.5", False),
        ("model.dropout=0.5", False),
        ("optimizer.clip=1", False),
    ],
)
def test_pytorch_trains_only_what_is_written_for_it(word: str, known: bool) -> None:
    assert is_known(from_words(["dataset=cifar10", word])) == known


def test_pytorch_does_not_decay_kernels_alone() -> None:
    words = ["dataset=mnist", "optimizer.decayed=kernels"]
    assert is_known(from_words(words))
    assert not is_known(from_words([*words, "optimizer.weight_decay=0.1"]))
