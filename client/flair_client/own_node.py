"""Other people's programs that run here as a node of one's own: found and stopped."""

import os
import shutil
import subprocess
from pathlib import Path
from typing import Final

# Where scripts/install-validator and scripts/install-kubo put them.
CACHE_FOLDER: Final = Path("~/.cache/flair/bin")
_STOP_S: Final = 20.0


def find_program(program: str, named: str | None = None) -> Path | None:
    """Gives a program: the one named, on the path, or where Flair installs it.

    Args:
        program: its name.
        named: its file, by a setting; nothing else is looked for then.
    """
    if named:
        path = Path(named).expanduser()
        return path if os.access(path, os.X_OK) else None
    found = shutil.which(program) or shutil.which(
        program, path=str(CACHE_FOLDER.expanduser())
    )
    return None if found is None else Path(found)


def place_looked_at(program: str, named: str | None = None) -> str:
    """Says where `find_program` looks, for who is told that nothing is there."""
    return named or f"{program} on PATH or in {CACHE_FOLDER}"


def stop(process: "subprocess.Popen[bytes]") -> None:
    """Ends a node: asked first, then not asked."""
    process.terminate()
    try:
        process.wait(timeout=_STOP_S)
    except subprocess.TimeoutExpired:
        process.kill()
