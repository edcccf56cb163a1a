import pytest

from ltr.engine.capacity import COMPILATION, capacity


@pytest.mark.parametrize(
    ("count", "size", "room"),
    [(1000, 1000, 1000), (577, 1000, 1000), (576, 1000, 576), (320, 1000, 320), (0, 1000, 64), (0, 16, 16)],
)
def test_there_is_room_for_all_or_for_a_class_of_densities(count: int, size: int, room: int) -> None:
    assert capacity(count, size) == room


@pytest.mark.parametrize("size", [235_200, 30_000])
def test_three_rounds_at_the_usual_rate_share_a_room_that_the_first_of_them_fills(size: int) -> None:
    kept = [size]
    for _ in range(17):
        kept.append(kept[-1] - kept[-1] // 5)
    for number in (3, 6, 9, 12, 15):
        (room,) = {capacity(count, size) for count in kept[number : number + 3]}
        assert kept[number] <= room < 1.1 * kept[number]


class TestShortTrainings:
    """A smaller capacity has to save as many updates as a program costs, but for the first."""

    def test_the_first_capacity_costs_no_program(self) -> None:
        assert capacity(576, 1000, steps=1) == 576

    def test_others_are_skipped(self) -> None:
        assert [capacity(count, 1000, steps=1) for count in (300, 64, 1, 0)] == [576] * 4

    @pytest.mark.parametrize(("steps", "room"), [(COMPILATION / 256, 320), (0.99 * COMPILATION / 256, 576)])
    def test_one_that_saves_256_updates_a_step(self, steps: float, room: int) -> None:
        assert capacity(320, 1000, steps) == room

    def test_what_skipped_ones_would_have_saved_adds_up(self) -> None:
        """576, (320), 192, (128), (64): 384 updates a step are saved, then at most 128."""
        steps = COMPILATION / 384
        assert [capacity(count, 1000, steps) for count in (300, 192, 100, 0)] == [576, 192, 192, 192]
