"""Running the tools: quiet when they succeed, all that they said when they fail."""

import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from sbf.errors import BuildError


def progress(message: str) -> None:
    """Tells the user on stderr what is being done."""
    print(f"build-program: {message}", file=sys.stderr, flush=True)


def run(
    command: Sequence[str | Path],
    *,
    cwd: Path | None = None,
    environment: Mapping[str, str] | None = None,
    show_errors: bool = False,
) -> subprocess.CompletedProcess[str]:
    """Runs one tool and returns what it said.

    Args:
        command: Program and arguments; no shell is involved.
        cwd: Folder to run in; the caller's when absent.
        environment: Variables to add to the caller's.
        show_errors: Let the tool write to our stderr as it goes (compilers,
            installers).

    Raises:
        BuildError: The tool is missing or failed; the text ends with all that it
            printed.
    """
    words = [str(word) for word in command]
    try:
        done = subprocess.run(
            words,
            cwd=cwd,
            env={**os.environ, **(environment or {})},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=None if show_errors else subprocess.PIPE,
            text=True,
            check=False,
        )
    except FileNotFoundError as error:
        raise BuildError(f"{words[0]} is missing") from error
    if done.returncode != 0:
        said = "\n".join(
            part.strip() for part in (done.stdout, done.stderr) if part and part.strip()
        )
        message = f"{Path(words[0]).name} failed with status {done.returncode}"
        raise BuildError(message if show_errors or not said else f"{message}:\n{said}")
    return done
