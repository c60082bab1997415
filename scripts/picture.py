"""Records the demo as a picture: runs `flair demo` and draws what it printed.

    .venv/bin/python scripts/picture.py docs/demo.svg docs/demo.png

The first file is the terminal, the second the figure of the demo's report.
"""

import re
import shutil
import subprocess
import sys
import tempfile
from io import StringIO
from pathlib import Path

from rich.console import Console
from rich.text import Text

WIDTH = 100
# Rich's picture loads a font from the network; a reader's own will do.
FONT_FACE = re.compile(r"\s*@font-face \{.*?\}\n", re.DOTALL)


def main(terminal: Path, figure: Path) -> None:
    """Runs the demo in a temporary folder and writes both pictures."""
    flair = Path(sys.executable).with_name("flair")
    with tempfile.TemporaryDirectory() as folder:
        done = subprocess.run(
            [flair, "demo"],
            cwd=folder,
            check=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        shutil.copy(Path(folder) / "flair-demo" / "report" / "report.png", figure)
        shown = done.stdout.replace(f"{folder}/", "")
    console = Console(record=True, width=WIDTH, file=StringIO(), color_system=None)
    console.print(Text.assemble(("$ scripts/demo\n", "bold"), shown.rstrip()))
    svg = console.export_svg(title="scripts/demo", unique_id="flair")
    terminal.write_text(FONT_FACE.sub("\n", svg), encoding="utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
