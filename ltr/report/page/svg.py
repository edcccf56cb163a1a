"""Figures as inline SVG, with the page's colours and typeface, and tooltips at the markers."""

import io
import re
import xml.etree.ElementTree as ET
from collections.abc import Mapping, Sequence

from matplotlib.figure import Figure

from ltr.report.figures import lay_out

SVG, LINK = "http://www.w3.org/2000/svg", "http://www.w3.org/1999/xlink"

THEMED = re.compile(r"#[0-9a-f]{6}")
"""A colour; a page can override it with the custom property `--c-<its digits>`."""


def inline(figure: Figure, name: str, alt: str, tooltips: Mapping[str, Sequence[str]]) -> str:
    """Return a figure as an `<svg>` element with a transparent background.

    A group with gid `<arm>:...` gets the classes `arm` and `arm-<arm>`; one with gid `<arm>:round:<n>` also
    the class `round-<n>`.

    Args:
        figure: the figure.
        name: prefix that makes the figure's ids unique on a page.
        alt: text alternative for readers who cannot see the figure.
        tooltips: text of each marker, by the gid of its group, in the order of drawing.
    """
    ET.register_namespace("", SVG)
    ET.register_namespace("xlink", LINK)
    root = ET.fromstring(_written(figure))
    for metadata in root.findall(f"{{{SVG}}}metadata"):
        root.remove(metadata)
    for element in root.iter():
        _adapt(element, name)
    for group in root.iter(f"{{{SVG}}}g"):
        gid = group.get("id", "").removeprefix(f"{name}-")
        if ":" in gid:
            _classify(group, gid)
        if gid in tooltips:
            for marker, tooltip in zip(_markers(group), tooltips[gid], strict=True):
                ET.SubElement(marker, f"{{{SVG}}}title").text = tooltip
                marker.set("class", "marker")
    for size in ("width", "height"):
        root.attrib.pop(size, None)
    root.set("role", "img")
    root.set("aria-label", alt)
    return ET.tostring(root, encoding="unicode")


def _written(figure: Figure) -> str:
    stream = io.StringIO()
    lay_out(figure)
    figure.savefig(stream, format="svg", transparent=True, metadata={"Date": None})
    return stream.getvalue()


def _adapt(element: ET.Element, name: str) -> None:
    """Make ids and references unique, and let the page set colours and typeface."""
    for attribute, value in list(element.attrib.items()):
        if attribute == "id":
            changed = f"{name}-{value}"
        else:
            changed = re.sub(r"url\(#", f"url(#{name}-", value)
            if attribute.endswith("href"):
                changed = re.sub(r"^#", f"#{name}-", changed)
            if attribute == "style":
                changed = THEMED.sub(lambda match: f"var(--c-{match[0][1:]}, {match[0]})", changed)
                changed = re.sub(r"(font(?:-family)?: [^;']*)'[^;]*", r"\1var(--face)", changed)
        element.set(attribute, changed)


def _classify(group: ET.Element, gid: str) -> None:
    arm, *more = gid.split(":")
    classes = ["arm", f"arm-{arm}"]
    if more[0] == "round":
        classes.append(f"round-{more[1]}")
    group.set("class", " ".join(classes))


def _markers(group: ET.Element) -> list[ET.Element]:
    return list(group.iter(f"{{{SVG}}}use"))
