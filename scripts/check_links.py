"""Check the built documentation site: links lead to files and anchors, and no page loads from other hosts.

python scripts/check_links.py [SITE]

External links are not followed.
"""

import sys
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urldefrag, urlsplit

SITE = Path(__file__).parents[1] / "site"


class Page(HTMLParser):
    """Links and anchors of a page.

    Attributes:
        anchors: names that a link to this page may have after `#`.
        links: targets of its links, images, scripts and style sheets.
        loaded: the targets that a browser fetches with the page.
    """

    def __init__(self, html: str) -> None:
        super().__init__()
        self.anchors: set[str] = set()
        self.links: list[str] = []
        self.loaded: list[str] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        """Collect the tag's anchors and links."""
        given = dict(attributes)
        self.anchors |= {name for name in (given.get("id"), given.get("name")) if name}
        targets = [link for link in (given.get("href"), given.get("src")) if link is not None]
        self.links += targets
        if tag != "a" and given.get("rel") != "canonical":
            self.loaded += targets


def problems(site: Path) -> Iterator[str]:
    """Yield a line for each broken link of a built site, and each file loaded from another host."""
    error_page = site / "404.html"  # its links are absolute, as it is served for any address
    files = set(site.rglob("*.html")) - {error_page}
    pages = {path: Page(path.read_text()) for path in sorted(files)}
    for path, page in pages.items():
        for link in dict.fromkeys(page.links):
            if problem := _problem(pages, path, link, is_loaded=link in page.loaded):
                yield f"{path.relative_to(site)}: {link}: {problem}"


def _problem(pages: dict[Path, Page], path: Path, link: str, is_loaded: bool) -> str | None:
    """Return what is wrong with a link of a page; None if it is sound."""
    address, anchor = urldefrag(link)
    if (parts := urlsplit(address)).scheme or parts.netloc:
        is_remote = parts.scheme in ("", "http", "https")
        return "loaded from another host" if is_loaded and is_remote else None
    target = (path.parent / unquote(address)).resolve() if address else path
    if target.is_dir():
        target /= "index.html"
    if not target.exists():
        return "no such file"
    if anchor and target in pages and unquote(anchor) not in pages[target].anchors:
        return "no such anchor"
    return None


def main(words: list[str]) -> int:
    """Print the problems of a site; return 1 if it has any, or no page."""
    site = Path(words[0] if words else SITE).resolve()
    if not (site / "index.html").exists():
        print(f"{site}: not a built site; make docs builds it", file=sys.stderr)
        return 1
    lines = list(problems(site))
    print(*lines, sep="\n", end="\n" if lines else "", file=sys.stderr)
    return bool(lines)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
