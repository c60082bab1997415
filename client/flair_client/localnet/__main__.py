"""`python -m flair_client.localnet FOLDER`: a localnet as a process of its own."""

import argparse
import sys
from pathlib import Path

from flair_client.errors import FlairError
from flair_client.localnet.run import DEFAULT_PORT, run_localnet


def main(arguments: list[str] | None = None) -> int:
    """Runs until told to stop; gives the exit code."""
    parser = argparse.ArgumentParser(prog="flair_client.localnet")
    parser.add_argument("data_dir", type=Path)
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=DEFAULT_PORT)
    parser.add_argument("--program", type=Path)
    parser.add_argument("--allow-origin", action="append", default=[])
    given = parser.parse_args(arguments)
    try:
        run_localnet(
            given.data_dir,
            given.host,
            given.port,
            program_file=given.program,
            origins=given.allow_origin,
        )
    except FlairError as exc:
        sys.stderr.write(f"{exc}\n")
        return 3
    return 0


if __name__ == "__main__":
    sys.exit(main())
