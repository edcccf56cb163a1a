"""Files of a run folder that are replaced whole or not at all, whenever the process is killed."""

from pathlib import Path


def write_text(path: Path, text: str) -> None:
    """Replace a text file; a reader sees the old one or the new one."""
    temporary = path.with_name(f".{path.name}.tmp")
    temporary.write_text(text)
    temporary.replace(path)
