"""Checks that every relative link in the documents leads to a file or heading.

Links to the web are not followed: the check needs no network.
"""

import itertools
import re
import subprocess
import sys
import unicodedata
from pathlib import Path
from urllib.parse import unquote, urlsplit

from markdown_it import MarkdownIt
from markdown_it.token import Token

PARSER = MarkdownIt("commonmark").enable("table")


def heading_anchor(title: str) -> str:
    """The anchor that code forges give a heading."""
    kept = [
        char
        for char in title.lower()
        if char in " -_" or unicodedata.category(char)[0] in "LN"
    ]
    return "".join(kept).replace(" ", "-")


def anchors(tokens: list[Token]) -> set[str]:
    """Anchors of all headings; a title used again gets a number."""
    found: set[str] = set()
    for token, following in itertools.pairwise(tokens):
        if token.type != "heading_open":
            continue
        text = "".join(
            child.content for child in following.children or [] if child.content
        )
        anchor = base = heading_anchor(text)
        number = 0
        while anchor in found:
            number += 1
            anchor = f"{base}-{number}"
        found.add(anchor)
    return found


def targets(tokens: list[Token]) -> list[tuple[int, str]]:
    """Line number and target of every link and picture."""
    found = []
    for token in tokens:
        line = (token.map or [0])[0] + 1
        for child in token.children or []:
            href = child.attrGet("href") or child.attrGet("src")
            if href:
                found.append((line, str(href)))
        if token.type in ("html_block", "html_inline"):
            sources = re.findall(r'src="([^"]+)"', token.content)
            found += [(line, source) for source in sources]
    return found


def broken_links(root: Path, document: Path) -> list[str]:
    """One sentence for each link of a document that leads nowhere."""
    tokens = PARSER.parse(document.read_text(encoding="utf-8"))
    broken = []
    for line, target in targets(tokens):
        parts = urlsplit(target)
        if parts.scheme or parts.netloc:
            continue
        path = (document.parent / unquote(parts.path)) if parts.path else document
        where = f"{document.relative_to(root)}:{line}"
        if not path.exists():
            broken.append(f"{where}: there is no {target}")
        elif parts.fragment and path.suffix == ".md":
            known = anchors(PARSER.parse(path.read_text(encoding="utf-8")))
            if unquote(parts.fragment) not in known:
                broken.append(f"{where}: {target} names no heading")
    return broken


def main() -> int:
    """Checks all documents that git knows."""
    root = Path(__file__).resolve().parent.parent
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard", "*.md"],
        cwd=root,
        capture_output=True,
        check=True,
    ).stdout.decode()
    documents = [root / name for name in listed.split("\0") if name]
    broken = [
        line for path in documents if path.exists() for line in broken_links(root, path)
    ]
    for line in broken:
        print(line, file=sys.stderr)
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main())
