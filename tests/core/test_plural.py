import pytest

from ltr.core.plural import is_or_are, number_of


@pytest.mark.parametrize(
    ("count", "text"), [(0, "0 lanes"), (1, "1 lane"), (2, "2 lanes"), (12000, "12,000 lanes")]
)
def test_a_noun_goes_by_its_number(count: int, text: str) -> None:
    assert number_of(count, "lane") == text


def test_a_plural_may_be_given() -> None:
    assert [number_of(count, "class", "classes") for count in (1, 2)] == ["1 class", "2 classes"]


def test_a_verb_goes_by_its_number() -> None:
    assert [is_or_are(count) for count in (0, 1, 2)] == ["are", "is", "are"]
