"""A hook of mkdocs: the site also has the pages outside of docs/, and the files that pages link to.

Pages link to each other as GitHub wants it. In the site everything lies below docs/, so links are rewritten.
"""

import os
import re
from pathlib import Path, PurePosixPath
from typing import Any

from mkdocs.structure.files import File, Files

ROOT = Path(__file__).parents[1]
OUTSIDE = ("README.md", "ARCHITECTURE.md", "CONTRIBUTING.md", "eventing/sources/README.md")

_FENCED_OR_LINK = re.compile(r"^```.*?^```|(\]\()([^)\s#]+)((?:#[^)\s]*)?\))", re.MULTILINE | re.DOTALL)


def on_files(files: Files, config: Any) -> Files:
    """Add the pages outside of docs/, and each file that some page links to."""
    pages = {one.src_uri: one.content_string for one in files.documentation_pages()}
    for path in OUTSIDE:
        pages[path] = (ROOT / path).read_text(encoding="utf-8")
        files.append(File.generated(config, path, abs_src_path=str(ROOT / path)))
    for page, text in pages.items():
        for _, link, _ in _FENCED_OR_LINK.findall(text):
            target = _in_site(page, link)
            if (
                link
                and "://" not in link
                and not files.get_file_from_path(target)
                and (ROOT / target).is_file()
            ):
                files.append(File.generated(config, target, abs_src_path=str(ROOT / target)))
    return files


def on_page_markdown(markdown: str, page: Any, **_: Any) -> str:
    """Point each link at its place in the site."""
    here = page.file.src_uri

    def rewritten(found: re.Match[str]) -> str:
        if not found[2] or "://" in found[2]:
            return found[0]
        target = _in_site(here, found[2])
        return f"{found[1]}{os.path.relpath(target, PurePosixPath(here).parent)}{found[3]}"

    return _FENCED_OR_LINK.sub(rewritten, markdown)


def _in_site(page: str, link: str) -> str:
    """Where the target of a link lies in the site: its path below docs/ or else below the root."""
    source = PurePosixPath(page) if page in OUTSIDE else PurePosixPath("docs", page)
    target = os.path.normpath(source.parent / link)
    return target.removeprefix("docs/")
