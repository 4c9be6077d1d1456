"""What MkDocs is told beyond mkdocs.yml: generated parts, and links that leave docs/.

The pages are written to be read in the repository, where they link to SQL and code. On the site
such a file is a page of its own, made from the file: the site needs no server and no network.
"""

from __future__ import annotations

import posixpath
import re
from functools import cache
from pathlib import Path
from typing import Any

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page
from mkdocs.utils import get_relative_url

from pipeline.lineage_graph import draw_table, read_graph
from pipeline.models import load_project
from pipeline.settings import Settings

ROOT = Path(__file__).resolve().parents[2]
_FETCHED_WORKER = "https://unpkg.com/iframe-worker/shim"
DICTIONARY = "data_dictionary.md"
FRONT_PAGES = {
    "README.md": "index.md",
    "CHANGELOG.md": "changelog.md",
    "CONTRIBUTING.md": "contributing.md",
}
_LINK = re.compile(r"(?<=\]\()(?!\w+:|#)([^)\s]+)(?=\))")
_FENCED = re.compile(r"(^```.*?^```$)", re.MULTILINE | re.DOTALL)
_TABLE = re.compile(r'^### <a id="([\w-]+)"></a>`([\w.]+)`\n', re.MULTILINE)


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the README, the changelog, and every file outside docs/ that a page links to."""
    linked: set[str] = set()
    sources = [*files.documentation_pages()]
    for name, target in FRONT_PAGES.items():
        files.append(File.generated(config, target, content=(ROOT / name).read_text()))
    for file in [*sources, *(files.get_file_from_path(t) for t in FRONT_PAGES.values())]:
        if file is not None:
            linked |= {path for path, _ in _outside(file.src_uri, file.content_string)}
    for path in sorted(linked):
        if path not in FRONT_PAGES and (ROOT / path).is_file():
            files.append(File.generated(config, _shown_as(path), content=_as_page(path)))
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Point links that leave docs/ at the pages made of those files, and draw the lineage."""
    if page.file.src_uri == DICTIONARY:
        markdown = _TABLE.sub(_with_graph, markdown)
    if not page.file.src_uri.startswith("source/"):
        markdown = "".join(
            part if part.startswith("```") else _relinked(page.file.src_uri, part)
            for part in _FENCED.split(markdown)
        )
    return markdown


def on_post_page(output: str, page: Page, config: MkDocsConfig) -> str:
    """Have the search of a page opened from disk use a script of ours, not one of a server."""
    return output.replace(_FETCHED_WORKER, get_relative_url("_site/worker.js", page.url))


def on_post_template(output: str, template_name: str, config: MkDocsConfig) -> str:
    """Do the same in pages that are no document."""
    return output.replace(_FETCHED_WORKER, "_site/worker.js")


def _origin(uri: str) -> str:
    """Return where in the repository a page is."""
    return next((name for name, shown in FRONT_PAGES.items() if shown == uri), f"docs/{uri}")


def _outside(uri: str, text: str) -> list[tuple[str, str]]:
    """Return the files outside docs/ to which a page links, and each link as written."""
    prose = "".join(part for part in _FENCED.split(text) if not part.startswith("```"))
    found = []
    for link in _LINK.findall(prose):
        target = posixpath.normpath(
            posixpath.join(posixpath.dirname(_origin(uri)), link.partition("#")[0])
        )
        if not target.startswith("docs/"):
            found.append((target, link))
    return found


def _shown_as(path: str) -> str:
    # MkDocs passes over names that begin with a dot.
    return FRONT_PAGES.get(path) or f"source/{path.lstrip('.')}.md"


def _relinked(uri: str, text: str) -> str:
    def moved(match: re.Match[str]) -> str:
        link, _, fragment = match[1].partition("#")
        if not link:
            return match[0]
        target = posixpath.normpath(posixpath.join(posixpath.dirname(_origin(uri)), link))
        if target.startswith("docs/"):
            target = target.removeprefix("docs/")
        elif (ROOT / target).is_file():
            target = _shown_as(target)
        else:
            # A folder: the page that says what is in each.
            target = "architecture.md"
        shown = posixpath.relpath(target, posixpath.dirname(uri) or ".")
        return f"{shown}#{fragment}" if fragment else shown

    return _LINK.sub(moved, text)


def _as_page(path: str) -> str:
    languages = {".sql": "sql", ".py": "python", ".yml": "yaml", ".json": "json", ".sh": "bash"}
    text = (ROOT / path).read_text()
    return (
        "---\nsearch:\n  exclude: true\n---\n\n"
        f"# {path}\n\n``````{languages.get(Path(path).suffix, 'text')}\n{text.rstrip()}\n``````\n"
    )


@cache
def _graph() -> Any:
    return read_graph(load_project(Settings(_env_file=None).sql_dir))


def _with_graph(match: re.Match[str]) -> str:
    graph = _graph()
    tables = {*graph.parents, *graph.children}
    svg = draw_table(graph, match[2], {name: f"#{name.replace('.', '-')}" for name in tables})
    return f'{match[0]}\n<details class="lineage"><summary>Lineage</summary>{svg}</details>\n'
