"""Model card of an exported ticket: its origin, its accuracy and its format."""

import re
from collections.abc import Mapping

from ltr.core.printable import on_one_line

TENSORS = """\
## Tensors

The dimensions of kernels are inputs (in), outputs (out) and the window of a convolution. In compressed
rows, a row is an output and a column is a position in all other dimensions, flattened. The network reads
images [count, height, width, channels], bytes minus `input.mean`, divided by `input.std`.

"""

ONNX = """\
## Model

ONNX with one input, images [batch, height, width, channels] as float32 from 0 to 255 (the model
normalises them), and one output, the logits.
"""


TITLE = "# A lottery ticket"
"""Beginning of each card."""


def card(facts: Mapping[str, str], tensors: Mapping[str, str], command: str) -> str:
    """Return the card as Markdown.

    Args:
        facts: facts about the ticket by name: model, data, density, accuracy, ...
        tensors: dimensions of each kernel by its name in the file, "" for other tensors; empty for an ONNX
            model.
        command: command that repeats the run.
    """
    head = f"{TITLE}: {_text(facts['model'])} on {_text(facts['data'])}\n\n"
    method = "Found by `ltr` (iterative pruning and rewinding; Frankle & Carbin, 2019).\n\n"
    known = "".join(f"- {name}: {_text(value)}\n" for name, value in facts.items())
    known += f"- found by: {_code(command)}\n"
    names = "".join(f"- {_code(name)} {_text(of)}".rstrip() + "\n" for name, of in tensors.items())
    return f"{head}{method}{known}\n{TENSORS + names if tensors else ONNX}"


def _text(text: str) -> str:
    """Return Markdown that shows a text: characters that would make links, code or HTML are escaped."""
    return re.sub(r"([\\`*\[\]<>&])", r"\\\1", on_one_line(text))


def _code(text: str) -> str:
    """Return Markdown that shows a text as code, between more backticks in a row than the text has."""
    longest = max(map(len, re.findall("`+", text)), default=0)
    fence, gap = "`" * (longest + 1), " " if longest else ""
    return f"{fence}{gap}{on_one_line(text)}{gap}{fence}"
