"""Model card of an exported ticket: its origin, its accuracy and its format."""

from collections.abc import Mapping, Sequence

TENSORS = """\
## Tensors

Dense kernels are [in, out], convolution kernels [height, width, in, out]. The input is images
[count, height, width, channels] of bytes, minus `input.mean`, divided by `input.std`.

"""

ONNX = """\
## Model

ONNX with one input, images [batch, height, width, channels] as float32 from 0 to 255 (the model
normalises them), and one output, the logits.
"""


def card(facts: Mapping[str, str], tensors: Sequence[str], command: str) -> str:
    """Return the card as Markdown.

    Args:
        facts: facts about the ticket by name: model, data, density, accuracy, ...
        tensors: names of the tensors in the file; empty for an ONNX model.
        command: command that repeats the run.
    """
    head = f"# A lottery ticket: {facts['model']} on {facts['data']}\n\n"
    method = "Found by `ltr` (iterative pruning and rewinding; Frankle & Carbin, 2019).\n\n"
    known = "".join(f"- {name}: {value}\n" for name, value in {**facts, "found by": f"`{command}`"}.items())
    names = "".join(f"- `{name}`\n" for name in tensors)
    return f"{head}{method}{known}\n{TENSORS + names if tensors else ONNX}"
