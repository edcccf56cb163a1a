"""A figure as SVG inside a page: of its colours and its type face, with its markers' words."""

import io
import re
import xml.etree.ElementTree as ET
from collections.abc import Mapping, Sequence

from matplotlib.figure import Figure

SVG, LINK = "http://www.w3.org/2000/svg", "http://www.w3.org/1999/xlink"

THEMED = re.compile(r"#[0-9a-f]{6}")
"""A colour; a page may give it another value by the custom property `--c-<its digits>`."""


def inline(figure: Figure, name: str, says: str, tooltips: Mapping[str, Sequence[str]]) -> str:
    """An `<svg>` element.

    Args:
        figure: drawn; it is transparent on the page.
        name: makes the ids of the figure unique on a page.
        says: what it shows, for who cannot see it.
        tooltips: what each marker says, by the gid of its group and in the order of drawing.

    Groups of gid `arm:...` get the classes `arm` and `arm-<arm>`, those of `arm:round:<n>` also `round-<n>`.
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
            for marker, said in zip(_markers(group), tooltips[gid], strict=True):
                ET.SubElement(marker, f"{{{SVG}}}title").text = said
                marker.set("class", "marker")
    for size in ("width", "height"):
        root.attrib.pop(size, None)
    root.set("role", "img")
    root.set("aria-label", says)
    return ET.tostring(root, encoding="unicode")


def _written(figure: Figure) -> str:
    stream = io.StringIO()
    figure.savefig(stream, format="svg", transparent=True, metadata={"Date": None})
    return stream.getvalue()


def _adapt(element: ET.Element, name: str) -> None:
    """Ids and references of its own, colours that the page may change, the page's type face."""
    for attribute, value in list(element.attrib.items()):
        if attribute == "id":
            changed = f"{name}-{value}"
        else:
            changed = re.sub(r"url\(#", f"url(#{name}-", value)
            if attribute.endswith("href"):
                changed = re.sub(r"^#", f"#{name}-", changed)
            if attribute == "style":
                changed = THEMED.sub(lambda found: f"var(--c-{found[0][1:]}, {found[0]})", changed)
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
