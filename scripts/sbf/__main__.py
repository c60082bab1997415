"""The command `scripts/build-program`."""

import argparse
import sys
from pathlib import Path

from sbf.build import Outputs, build, check
from sbf.commands import progress
from sbf.errors import BuildError
from sbf.packages import install, require

ROOT = Path(__file__).resolve().parents[2]
SHIPPED = ROOT / "client" / "flair_client" / "chain"


def main(arguments: list[str]) -> int:
    """Builds or checks; returns the exit code: 0 done, 1 refused or different."""
    options = _parser().parse_args(arguments)
    # cargo runs in the crate's folder
    crate, target_dir = options.crate.resolve(), options.target_dir.resolve()
    outputs = Outputs(
        options.out,
        None if options.no_idl else options.idl or options.out.with_suffix(".json"),
    )
    try:
        if options.install:
            install()
            require()
            # alone it changes no shipped file: a check may follow
            if not options.check:
                return 0
        if options.check:
            check(crate, outputs, target_dir)
        else:
            build(crate, outputs, target_dir)
    except BuildError as error:
        progress(f"error: {error}")
        return 1
    written = ", ".join(
        str(path) for path in (outputs.program, outputs.idl) if path is not None
    )
    progress(f"{written} {'are what the sources give' if options.check else 'written'}")
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="build-program",
        description="Builds the Solana program and its interface from packages.",
    )
    add = parser.add_argument
    add(
        "crate",
        nargs="?",
        type=Path,
        default=ROOT / "programs" / "flair",
        help="folder of the crate",
    )
    add(
        "--out",
        type=Path,
        default=SHIPPED / "flair.so",
        help="program to write or check",
    )
    add(
        "--idl",
        type=Path,
        help="interface to write or check (default: beside the program)",
    )
    add("--no-idl", action="store_true", help="no interface")
    add(
        "--check",
        action="store_true",
        help="build anew elsewhere and compare with the files that are there",
    )
    add(
        "--install",
        action="store_true",
        help="install the missing Debian packages with apt-get; builds nothing",
    )
    add(
        "--target-dir",
        type=Path,
        default=ROOT / "target" / "sbf",
        help="folder kept for later builds",
    )
    return parser


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
