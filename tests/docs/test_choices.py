"""docs/choices.md lists what there is."""

import runpy
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_the_page_is_up_to_date() -> None:
    """If not: python scripts/choices.py."""
    page = runpy.run_path(str(ROOT / "scripts" / "choices.py"))["page"]
    assert (ROOT / "docs" / "choices.md").read_text() == page()
