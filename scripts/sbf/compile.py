"""Crate to bitcode: cargo and rustc for the target `sbf-solana`, std included.

Three things make rustc take a target that it does not know:

* `RUSTC_BOOTSTRAP` allows cargo's `-Z` options (`build-std`, a target from a file);
* the target file names `zkvm` as its system, because std refuses to be built for an
  unknown one; crates see `target_os="solana"` as well, which is what they ask for;
* `target_arch="csky"` is only there for the one constant (an alignment) that std looks
  up by it.
"""

import json
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from sbf.commands import run
from sbf.errors import BuildError
from sbf.packages import CARGO, RUSTC

HERE = Path(__file__).resolve().parent
TARGET = "sbf-solana"

LEFT_OUT = frozenset(
    {
        # a second panic runtime: panics abort here
        "panic_unwind",
        "unwind",
        # names without code
        "rustc_std_workspace_alloc",
        "rustc_std_workspace_core",
        "rustc_std_workspace_std",
        # only backtraces use them
        "addr2line",
        "adler2",
        "gimli",
        "miniz_oxide",
    }
)
"""Libraries of std's build that are not linked."""

RUSTFLAGS = (
    # only called for dependencies that are also a cdylib; that output is not used
    "-Clinker=/bin/true",
    "-Cpanic=abort",
    "-Aexplicit_builtin_cfgs_in_flags",
    '--cfg target_os="solana"',
    '--cfg target_arch="csky"',
)


@dataclass(frozen=True, slots=True)
class Crate:
    """A crate's folder and package name, its workspace's folder and packages."""

    folder: Path
    package: str
    workspace: Path
    members: tuple[str, ...]

    @property
    def locked(self) -> list[str]:
        """The option that makes cargo keep to the lock file, where there is one."""
        return ["--locked"] if (self.workspace / "Cargo.lock").is_file() else []


def find_crate(folder: Path) -> Crate:
    """Reads which package lies in a folder.

    Raises:
        BuildError: There is none, or its manifest is wrong.
    """
    manifest = folder / "Cargo.toml"
    if not manifest.is_file():
        raise BuildError(f"{folder} has no Cargo.toml")
    locate: list[str | Path] = [
        CARGO,
        "locate-project",
        "--workspace",
        "--message-format=plain",
    ]
    workspace = Path(run(locate, cwd=folder).stdout.strip()).parent
    listed = run(
        [CARGO, "metadata", "--no-deps", "--format-version=1"], cwd=folder
    ).stdout
    packages = json.loads(listed)["packages"]
    members = tuple(package["name"] for package in packages)
    for package in packages:
        if Path(package["manifest_path"]) == manifest.resolve():
            return Crate(folder, package["name"], workspace, members)
    raise BuildError(f"{manifest} has no [package]")


def compile_crate(crate: Crate, target_dir: Path) -> list[Path]:
    """Compiles a crate, its dependencies and std.

    Args:
        crate: What to compile.
        target_dir: Where cargo keeps its work; std and dependencies are taken from
            there when they are fresh.

    Returns:
        The libraries to link, in an order that does not depend on the machine.

    Raises:
        BuildError: cargo failed (its messages went to stderr), or the crate is no
            library.
    """
    command = [CARGO, "build", "--quiet", *crate.locked, *_target(target_dir)]
    command += [
        "-Zbuild-std=std,panic_abort",
        "-Zbuild-std-features=",
        "--message-format=json-render-diagnostics",
    ]
    done = run(command, cwd=crate.folder, environment=_environment(), show_errors=True)
    libraries = dict(_libraries(done.stdout))
    if crate.package.replace("-", "_") not in libraries.values():
        raise BuildError(
            f"the crate {crate.package} is no library: "
            'its crate-type must contain "lib"'
        )
    return sorted(libraries)


def forget(crate: Crate, target_dir: Path) -> None:
    """Removes what was compiled of the workspace's own crates, for sBPF and the host.

    cargo takes a source for unchanged by its time, and a crate of another checkout for
    this one; neither may decide which bytes are shipped.
    """
    if not target_dir.is_dir():
        return
    own = [f"--package={name}" for name in crate.members]
    clean: list[str | Path] = [CARGO, "clean", "--quiet", *own]
    for options in (_target(target_dir), [f"--target-dir={target_dir}"]):
        run([*clean, *options], cwd=crate.folder, environment=_environment())


def _target(target_dir: Path) -> list[str | Path]:
    return [
        "--release",
        f"--target={HERE / TARGET}.json",
        "-Zjson-target-spec",
        f"--target-dir={target_dir}",
    ]


def _environment() -> dict[str, str]:
    # what a user has set for other builds must not change these bytes
    os.environ.pop("CARGO_ENCODED_RUSTFLAGS", None)
    return {
        "RUSTC": str(RUSTC),
        "RUSTC_BOOTSTRAP": "1",
        "RUSTC_WRAPPER": str(HERE / "rustc_wrapper.py"),
        "RUSTFLAGS": " ".join(RUSTFLAGS),
        "CARGO_INCREMENTAL": "0",
        # the passes run over the whole program anyway
        "CARGO_PROFILE_RELEASE_LTO": "off",
        "CARGO_PROFILE_RELEASE_DEBUG": "0",
    }


def _libraries(messages: str) -> Iterator[tuple[Path, str]]:
    """Libraries of exactly this build, with names; the folder may hold older ones."""
    for line in messages.splitlines():
        message = json.loads(line)
        if message["reason"] != "compiler-artifact":
            continue
        name = message["target"]["name"].replace("-", "_")
        for file in map(Path, message["filenames"]):
            # what belongs to build scripts and macros lies elsewhere
            if file.suffix == ".rlib" and TARGET in file.parts and name not in LEFT_OUT:
                yield file, name
