from fractions import Fraction
from math import prod

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ltr.models.kernel_shape import KernelShape
from ltr.pruning.sharing import erdos_renyi_kernel, uniform, whole


def kernels(*shapes: tuple[int, ...]) -> list[KernelShape]:
    """Kernels of dense layers and convolutions of these shapes."""
    return [KernelShape("", shape, "io" if len(shape) == 2 else "wwio") for shape in shapes]


LENET = kernels((784, 300), (300, 100), (100, 10))


def test_uniform_is_one_density() -> None:
    assert uniform(LENET, 26_620) == [23_520, 3_000, 100]


def test_erk_by_hand() -> None:
    """Sums of the shapes: 10 + 2 and 3 + 3 + 2 + 4 = 12. Half of 92 weights: epsilon is 46 / 24."""
    assert erdos_renyi_kernel(kernels((10, 2), (3, 3, 2, 4)), 46) == [20, 26]  # 23 is more than the first has
    assert erdos_renyi_kernel(kernels((10, 2), (3, 3, 2, 4)), 24) == [12, 12]


def test_erk_of_lenet_by_hand() -> None:
    """At 5 %, 13,310 weights, epsilon is 13310 / (1084 + 400 + 110): output gets 918 of its 1000."""
    epsilon = Fraction(13_310, 1084 + 400 + 110)
    shares = erdos_renyi_kernel(LENET, 13_310)
    assert shares == [epsilon * 1084, epsilon * 400, epsilon * 110]
    densities = [float(share / kernel.size) for share, kernel in zip(shares, LENET, strict=True)]
    assert densities == pytest.approx([0.038486, 0.111334, 0.918507], rel=1e-4)


def test_erk_clips_and_the_others_share_the_rest() -> None:
    """At 20 %, 53,240 weights, the output layer would get 3674 of its 1000; the others share 52,240."""
    first, second, output = erdos_renyi_kernel(LENET, 53_240)
    assert (first, second, output) == (Fraction(52_240 * 1084, 1484), Fraction(52_240 * 400, 1484), 1000)


def test_erk_clips_again_where_clipping_makes_another_layer_full() -> None:
    """Epsilon is 130 / 60 and fills the first layer; the rest, 126 / 56, fills the second."""
    assert erdos_renyi_kernel(kernels((2, 2), (4, 5), (20, 27)), 130) == [4, 20, 106]


@given(
    shapes=st.lists(
        st.tuples(st.integers(1, 20), st.integers(1, 20))
        | st.tuples(st.just(3), st.just(3), st.integers(1, 20), st.integers(1, 20)),
        min_size=1,
        max_size=5,
    ),
    percent=st.integers(1, 100),
)
def test_shares_add_up_and_fit(shapes: list[tuple[int, ...]], percent: int) -> None:
    sizes = [prod(shape) for shape in shapes]
    total = sum(sizes) * percent // 100
    for share in (uniform, erdos_renyi_kernel):
        shares = share(kernels(*shapes), total)
        assert sum(shares) == total
        assert all(0 <= part <= size for part, size in zip(shares, sizes, strict=True))
        counts = whole(shares, total, sizes)
        assert sum(counts) == total
        assert all(abs(count - part) < 1 for count, part in zip(counts, shares, strict=True))


def test_erk_has_one_epsilon_where_nothing_is_clipped() -> None:
    shapes = [(784, 300), (3, 3, 64, 128), (5, 5, 10, 20)]
    shares = erdos_renyi_kernel(kernels(*shapes), 1000)
    assert len({share / sum(shape) for share, shape in zip(shares, shapes, strict=True)}) == 1


@pytest.mark.parametrize(
    ("most", "counts"), [((9, 9, 9), [1, 2, 2]), ((9, 9, 1), [2, 2, 1]), ((1, 2, 9), [1, 2, 2])]
)
def test_what_is_missing_goes_where_most_is_lacking_and_there_is_room(
    most: tuple[int, ...], counts: list[int]
) -> None:
    shares = [Fraction(13, 10), Fraction(19, 10), Fraction(18, 10)]
    assert whole(shares, 5, most) == counts


def test_more_than_one_goes_to_the_only_layer_with_room() -> None:
    shares = [Fraction(19, 10), Fraction(19, 10), Fraction(12, 10)]
    assert whole(shares, 5, (1, 1, 9)) == [1, 1, 3]
