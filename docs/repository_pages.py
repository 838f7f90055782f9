"""Hook of mkdocs: files of the repository that are pages too, and links between pages and other files.

A link in a page leads to a file as it lies in the repository, so that it works there; on the site it leads to that
file's page, or is plain text where the file has none.
"""

import posixpath
import re

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

#: Page of the site -> file of the repository.
PAGES = {
    "reference/configuration.md": "configs/README.md",
    "reference/data.md": "datasets/README.md",
    "reference/changelog.md": "CHANGELOG.md",
    "reference/btxrd-lite.md": "segtumor/shipped/models/btxrd-lite/card.md",
    "explanation/security.md": "SECURITY.md",
    "explanation/contributing.md": "CONTRIBUTING.md",
}
_PAGE_OF = {source: page for page, source in PAGES.items()}
_LINK = re.compile(r"(?<!!)\[([^\]]+)\]\(([^)\s]+)\)")


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the files of the repository that are pages."""
    root = posixpath.dirname(config.docs_dir)
    for page, source in PAGES.items():
        files.append(File.generated(config, page, abs_src_path=posixpath.join(root, source)))
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Lead links to where they belong on the site."""
    here = page.file.src_uri
    source = PAGES.get(here, f"docs/{here}")

    def moved(match: re.Match[str]) -> str:
        text, link = match.groups()
        path, hash_sign, fragment = link.partition("#")
        if not path or ":" in path:
            return match[0]
        target = posixpath.normpath(posixpath.join(posixpath.dirname(source), path))
        target_page = _PAGE_OF.get(target) or target.removeprefix("docs/")
        if target.startswith("docs/") or target in _PAGE_OF:
            relative = posixpath.relpath(target_page, posixpath.dirname(here) or ".")
            return f"[{text}]({relative}{hash_sign}{fragment})"
        return text if text.startswith("`") else f"`{target}`" if text in (path, target) else text

    return _LINK.sub(moved, markdown)
