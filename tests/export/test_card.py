"""The card shows names of a run as text, whatever is in them."""

from ltr.export.card import card

FACTS = {"model": "lenet_300_100", "data": "mnist", "run": "<b>[x](http://example.org)</b>`"}


def test_names_make_no_links_no_code_and_no_html() -> None:
    made = card(FACTS, {}, "ltr run")
    assert "- run: \\<b\\>\\[x\\](http://example.org)\\</b\\>\\`\n" in made
    assert made.startswith("# A lottery ticket: lenet_300_100 on mnist\n")


def test_a_command_with_backticks_ends_its_code_no_sooner() -> None:
    assert "- found by: `` ltr run dataset.path='a`b' ``\n" in card(FACTS, {}, "ltr run dataset.path='a`b'")


def test_a_line_break_begins_no_line() -> None:
    assert "- run: a\\\\n# b\n" in card({**FACTS, "run": "a\n# b"}, {}, "ltr run")
