"""Model card of an exported ticket: its origin, its accuracy and its format."""

from collections.abc import Mapping

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


def card(facts: Mapping[str, str], tensors: Mapping[str, str], command: str) -> str:
    """Return the card as Markdown.

    Args:
        facts: facts about the ticket by name: model, data, density, accuracy, ...
        tensors: dimensions of each kernel by its name in the file, "" for other tensors; empty for an ONNX
            model.
        command: command that repeats the run.
    """
    head = f"# A lottery ticket: {facts['model']} on {facts['data']}\n\n"
    method = "Found by `ltr` (iterative pruning and rewinding; Frankle & Carbin, 2019).\n\n"
    known = "".join(f"- {name}: {value}\n" for name, value in {**facts, "found by": f"`{command}`"}.items())
    names = "".join(f"- `{name}` {dimensions}".rstrip() + "\n" for name, dimensions in tensors.items())
    return f"{head}{method}{known}\n{TENSORS + names if tensors else ONNX}"
