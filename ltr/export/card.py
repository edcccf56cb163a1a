"""The card of an exported ticket: what it is, how good, how it was found and how to use it."""

from collections.abc import Mapping

TENSORS = """\
## Tensors

Dimensions of kernels are of inputs (in), outputs (out) and the window of a convolution. Compressed
rows are of outputs, and columns of the rest, both flattened. Images are [count, height, width, channels]
of bytes, less `input.mean`, divided by `input.std`.

"""

ONNX = """\
## Model

ONNX, of one input, images as bytes in float32 [batch, height, width, channels], not normalised
(the model does), and one output, their logits.
"""


def card(facts: Mapping[str, str], tensors: Mapping[str, str], command: str) -> str:
    """Markdown.

    Args:
        facts: what is known of the ticket, by what it is called: model, data, density, accuracy, ...
        tensors: by the names in the file, the dimensions of kernels, "" of others; none of an ONNX model.
        command: what to type to have the run again.
    """
    head = f"# A lottery ticket: {facts['model']} on {facts['data']}\n\n"
    how = "Found by `ltr` (iterative pruning and rewinding; Frankle & Carbin, 2019).\n\n"
    known = "".join(f"- {name}: {value}\n" for name, value in {**facts, "found by": f"`{command}`"}.items())
    names = "".join(f"- `{name}` {dimensions}".rstrip() + "\n" for name, dimensions in tensors.items())
    return f"{head}{how}{known}\n{TENSORS + names if tensors else ONNX}"
