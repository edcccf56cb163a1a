from ltr.report.arms import ARMS, in_order, styles


def test_known_arms_come_first_in_their_order_then_the_others_by_name() -> None:
    assert in_order(["zebra", "one_shot", "ticket", "ape", "ticket"]) == [
        "ticket",
        "one_shot",
        "ape",
        "zebra",
    ]


def test_known_arms_look_the_same_beside_any_others() -> None:
    assert styles(["zebra", "ticket"])["ticket"] == ARMS["ticket"]


def test_other_arms_take_spare_colours_in_turn_whatever_the_order() -> None:
    assert styles(["zebra", "ape"]) == styles(["ape", "zebra"])


def test_no_two_of_eight_arms_share_a_colour_or_a_marker() -> None:
    many = styles([*ARMS, "a", "b", "c", "d"]).values()
    assert len({style.colour for style in many}) == len({style.marker for style in many}) == 8


def test_sixteen_more_arms_differ_in_colour_or_marker_and_then_looks_start_again() -> None:
    many = list(styles([f"arm_{i:02}" for i in range(20)]).values())
    assert len(many) == 20
    assert len({(style.colour, style.marker) for style in many}) == 16
