"""What lists of runs show of a `run.json`, read in a fraction of the time that its whole content takes."""

import functools
from typing import TYPE_CHECKING, Any

from ltr.store import sealed_text

if TYPE_CHECKING:
    from pydantic_core import SchemaValidator
    from pydantic_core.core_schema import CoreSchema


def from_json(content: bytes) -> Any:
    """Return status, error, settings and summary of a `run.json`, and command and plug-ins of its sessions.

    Content of another form is returned as a whole. ValueError if it is damaged.
    """
    try:
        return _schema().validate_json(sealed_text.unsealed(content))
    except ValueError:  # of this parser, which also refuses half a surrogate pair, or of the checksum
        return sealed_text.from_json(content)


@functools.cache
def _schema() -> "SchemaValidator":
    """Return the schema of what is read; nothing is made of other keys."""
    from pydantic_core import SchemaValidator  # is slow to import

    anything: CoreSchema = {"type": "any"}
    named: CoreSchema = {"type": "dict", "keys_schema": {"type": "str"}, "strict": True}  # names are shared
    mapping: CoreSchema = {"type": "nullable", "schema": named}
    session = _object({"command": anything, "plugins": anything})
    sessions: CoreSchema = {"type": "list", "items_schema": session, "strict": True}
    others = {"error": anything, "settings": mapping, "summary": mapping, "sessions": sessions}
    return SchemaValidator(_object({"status": {"type": "str", "strict": True}, **others}))


def _object(fields: "dict[str, CoreSchema]") -> "CoreSchema":
    """Return the schema of an object of which only some fields are read; only `status` has to be there."""
    return {
        "type": "typed-dict",
        "fields": {
            name: {"type": "typed-dict-field", "schema": schema, "required": name == "status"}
            for name, schema in fields.items()
        },
        "extra_behavior": "ignore",
    }
