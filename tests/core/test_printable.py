from ltr.core.printable import on_one_line, printable


def test_what_controls_a_terminal_is_shown_and_does_nothing() -> None:
    assert printable("a\x1b[2Jb\r\x9b\u202ec") == "a\\x1b[2Jb\\r\\x9b\\u202ec"


def test_other_text_stays_as_it_is() -> None:
    assert printable("Fisher, naïve: 5 % ± 1\n\tdone ✓") == "Fisher, naïve: 5 % ± 1\n\tdone ✓"


def test_a_cell_has_one_line() -> None:
    assert on_one_line("a\nb\tc") == "a\\nb\\tc"
