"""The card of an exported ticket: what it is, how good, how it was found and how to use it."""

from collections.abc import Mapping, Sequence


def card(facts: Mapping[str, str], tensors: Sequence[str], command: str) -> str:
    """Markdown.

    Args:
        facts: what is known of the ticket, by what it is called: model, data, density, accuracy, ...
        tensors: the names in the file.
        command: what to type to have the run again.
    """
    lines = [f"- {name}: {value}" for name, value in facts.items()]
    return "\n".join(
        [
            f"# A lottery ticket: {facts['model']} on {facts['data']}",
            "",
            "Found by `ltr` (iterative pruning and rewinding; Frankle & Carbin, 2019).",
            "",
            *lines,
            f"- found by: `{command}`",
            "",
            "## Tensors",
            "",
            "Kernels are [in, out], of convolutions [height, width, in, out]; images are [count, height,",
            "width, channels] of bytes, less `input.mean`, divided by `input.std`.",
            "",
            *(f"- `{name}`" for name in tensors),
            "",
        ]
    )
