"""Values as they are typed on the command line."""

from typing import Any


def literal(value: Any) -> str:
    """Format a value, plain data, as it is typed on the command line: `true`, `null`, `[ticket,snip]`."""
    if isinstance(value, list | tuple):
        return f"[{','.join(map(literal, value))}]"
    if value is None:
        return "null"
    return str(value).lower() if isinstance(value, bool) else str(value)
