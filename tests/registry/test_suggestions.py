"""Text that a person probably meant."""

import pytest

from ltr.registry.suggestions import near, nearest, plain, spellings


def test_nearest_suggests_or_else_lists() -> None:
    assert nearest("tickt", ["ticket", "one_shot"]) == "did you mean ticket?"
    assert nearest("mnist_", ["mnist_a", "mnist_b", "x"]) == "did you mean one of mnist_a, mnist_b?"
    assert nearest("magnitud", ["magnitude", "magnitude_increase"]) == "did you mean magnitude?"
    assert nearest("xyz", ["ticket", "one_shot"]) == "known: one_shot, ticket"


@pytest.mark.parametrize(
    ("word", "found"),
    [
        ("MNIST", ["mnist"]),
        ("resnet-20", ["resnet20"]),
        ("Fashion-Mnist", ["fashion_mnist"]),
        ("warmup", ["optimizer.warmup"]),
        ("optimizer.warm", ["optimizer.warmup"]),
        ("name", ["dataset.name", "model.name"]),
        ("fash", ["fashion_mnist"]),
        ("mnsit", ["mnist"]),
        ("", []),
        ("zzz", []),
    ],
)
def test_what_is_near_a_word(word: str, found: list[str]) -> None:
    known = ["mnist", "fashion_mnist", "resnet20", "optimizer.warmup", "dataset.name", "model.name"]
    assert near(word, known) == found


def test_typographic_signs_are_made_plain() -> None:
    assert plain("–m −1 ‘a’ “b” —x\u00a0é") == "-m -1 'a' \"b\" --x é"


@pytest.mark.parametrize(
    ("value", "spelling"),
    [
        ("1e3", "1000"),
        ("1000.0", "1000"),
        ("20%", "0.2"),
        ("20 %", "0.2"),
        ("50", "0.5"),
        ("20 epochs", "20ep"),
        ("20e", "20ep"),
        ('"Adam"', "adam"),
        ("a,b", "[a,b]"),
        ("−1", "-1"),
        ("0.2,", "0.2"),
    ],
)
def test_other_spellings_of_a_value(value: str, spelling: str) -> None:
    assert spelling in [*spellings(value)]


@pytest.mark.parametrize("value", ["1", "2", "-0.5"])
def test_small_numbers_are_not_taken_for_percent(value: str) -> None:
    assert f"{float(value) / 100:g}" not in [*spellings(value)]
