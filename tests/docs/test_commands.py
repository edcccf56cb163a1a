"""docs/commands.md is what the commands say of themselves."""

import runpy
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_the_page_is_up_to_date() -> None:
    """If not: python scripts/commands.py."""
    page = runpy.run_path(str(ROOT / "scripts" / "commands.py"))["page"]
    assert (ROOT / "docs" / "commands.md").read_text() == page()
