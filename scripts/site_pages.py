"""MkDocs hooks: pages from root files, patterns in the navigation, and links.

Links are written as they work in the repository. On the site, a link to a file that is a page leads to that
page. A link to another file of the repository, such as a source file, becomes plain text.
"""

import posixpath
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mkdocs.config.defaults import MkDocsConfig
    from mkdocs.structure.files import Files
    from mkdocs.structure.pages import Page

ROOT = Path(__file__).parents[1]
PAGES = {"README.md": "index.md", "CONTRIBUTING.md": "contributing.md", "CHANGELOG.md": "changelog.md"}
"""Pages of the site by files in the repository's root."""

_LINK = re.compile(r"\[(?P<text>[^\]]*)\]\((?P<target>[^)\s#:]+)(?P<anchor>#[^)\s]*)?\)")
_NOTEBOOK_LINK = re.compile(r'(?<=href=")(?P<page>[^":]+)\.(?:md|ipynb)(?=[#"])')


def on_config(config: "MkDocsConfig") -> "MkDocsConfig":
    """Expand the patterns of the navigation."""
    config.nav = expanded(config.nav, Path(config.docs_dir))
    return config


def on_files(files: "Files", config: "MkDocsConfig") -> "Files":
    """Add the pages whose files are outside docs/."""
    from mkdocs.structure.files import File

    for source, page in PAGES.items():
        files.append(File.generated(config, page, content=(ROOT / source).read_text()))
    return files


def on_page_markdown(markdown: str, page: "Page", config: "MkDocsConfig", files: "Files") -> str:
    """Rewrite the links of a page for the site."""
    uri = page.file.src_uri
    sources = {name: source for source, name in PAGES.items()}
    return for_site(markdown, sources.get(uri, f"docs/{uri}"))


def on_page_content(html: str, page: "Page", config: "MkDocsConfig", files: "Files") -> str:
    """Rewrite the links of a notebook, which MkDocs does not."""
    return _NOTEBOOK_LINK.sub(r"\g<page>.html", html) if page.file.src_uri.endswith(".ipynb") else html


def expanded(nav: Any, docs: Path) -> Any:
    """Return a navigation with the pages of `docs` in place of each pattern such as `how-to/*.md`."""
    if isinstance(nav, dict):
        return {title: expanded(part, docs) for title, part in nav.items()}
    if not isinstance(nav, list):
        return nav
    pages: list[Any] = []
    for item in nav:
        is_pattern = isinstance(item, str) and "*" in item
        pages += _matching(item, docs) if is_pattern else [expanded(item, docs)]
    return pages


def _matching(pattern: str, docs: Path) -> list[str]:
    return [path.relative_to(docs).as_posix() for path in sorted(docs.glob(pattern))]


def for_site(markdown: str, source: str) -> str:
    """Return the Markdown of a file with its links rewritten for the site.

    Args:
        markdown: text of the file.
        source: path of the file, relative to the repository's root.
    """
    folder = posixpath.dirname(source)
    page_folder = folder.removeprefix("docs").removeprefix("/")

    def rewritten(link: re.Match[str]) -> str:
        target = posixpath.normpath(posixpath.join(folder, link["target"]))
        if target in PAGES or target.startswith("docs/"):
            page = PAGES.get(target, target.removeprefix("docs/"))
            return f"[{link['text']}]({posixpath.relpath(page, page_folder or '.')}{link['anchor'] or ''})"
        return link["text"] if (ROOT / target).exists() else link[0]

    return _LINK.sub(rewritten, markdown)
