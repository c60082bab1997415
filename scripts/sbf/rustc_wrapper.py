#!/usr/bin/env python3
"""Stands between cargo and rustc, for two changes that no option of cargo makes.

* `--cfg restricted_std` goes: std gives it to itself on a target that it does not know,
  and every crate that uses std would then need a nightly feature.
* The folders of this machine leave the program: panic messages carry the path of their
  source, and the same sources must give the same bytes in any folder, for any user.
"""

import os
import sys
from pathlib import Path


def arguments(given: list[str]) -> list[str]:
    """The command line for rustc, from the one that cargo made."""
    kept: list[str] = []
    for word in given:
        if word == "restricted_std" and kept and kept[-1] == "--cfg":
            kept.pop()
        else:
            kept.append(word)
    # rustc takes the last prefix that fits, so the more special folders come later
    folders = {str(Path.cwd()): "/workspace"}
    package = "-".join(
        os.environ.get(f"CARGO_PKG_{part}", "") for part in ("NAME", "VERSION")
    )
    folders[os.environ.get("CARGO_MANIFEST_DIR", "")] = f"/{package}"
    folders[os.environ.get("OUT_DIR", "")] = f"/{package}/generated"
    return kept + [
        f"--remap-path-prefix={here}={there}" for here, there in folders.items() if here
    ]


if __name__ == "__main__":
    os.execvp(sys.argv[1], [sys.argv[1], *arguments(sys.argv[2:])])  # noqa: S606
