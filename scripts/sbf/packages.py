"""The Debian packages that the build takes, and the check that they fit together."""

import os
import re
import shutil
from dataclasses import dataclass
from pathlib import Path

from sbf.commands import progress, run
from sbf.errors import BuildError

RUST = "1.96"
"""Release of rustc that the passes, the target file and std were tried with."""
LLVM = 22
"""Release of LLVM: rustc's bitcode is only read safely by the release that wrote it."""

CARGO = Path("/usr/bin/cargo")
RUSTC = Path("/usr/bin/rustc")

PACKAGES = {
    "cargo-web": f"{RUST}.*",
    "rustc-web": f"{RUST}.*",
    "rust-web-src": f"{RUST}.*",
    f"llvm-{LLVM}": f"1:{LLVM}.*",
    f"llvm-{LLVM}-dev": f"1:{LLVM}.*",
    "g++": "*",
}
"""Package to the pattern of its version; they pin what the bytes depend on."""


@dataclass(frozen=True, slots=True)
class Versions:
    """What compiles: shown to the user, since the program's bytes depend on both."""

    rustc: str
    llvm: str

    def __str__(self) -> str:
        return f"rustc {self.rustc}, LLVM {self.llvm}"


def missing() -> list[str]:
    """Names of the packages that are not installed."""
    return [name for name in PACKAGES if not _is_installed(name)]


def install() -> None:
    """Installs what is missing with apt-get, as root or through sudo.

    Raises:
        BuildError: There is no apt-get, no right to use it, or no such version.
    """
    absent = missing()
    if not absent:
        return
    if shutil.which("apt-get") is None:
        raise BuildError(
            f"apt-get is missing, and so are the packages {', '.join(absent)}"
        )
    root = [] if os.geteuid() == 0 else ["sudo", "-n"]
    progress(f"installing {', '.join(absent)}")
    wanted = [
        name if PACKAGES[name] == "*" else f"{name}={PACKAGES[name]}" for name in absent
    ]
    run([*root, "apt-get", "update", "-qq"])
    run(
        [*root, "apt-get", "install", "-y", "-qq", "--no-install-recommends", *wanted],
        environment={"DEBIAN_FRONTEND": "noninteractive"},
    )


def require() -> Versions:
    """Checks that the tools are there and that rustc and LLVM are of one release.

    Raises:
        BuildError: A package is missing, or versions differ from each other or from the
            pins.
    """
    absent = missing()
    if absent:
        raise BuildError(
            f"these Debian packages are missing: {' '.join(absent)} "
            "(--install installs them)"
        )
    said = run([RUSTC, "-vV"]).stdout
    rustc, of_rustc = _field(said, "release"), _field(said, "LLVM version")
    installed = run([f"llvm-config-{LLVM}", "--version"]).stdout.strip()
    if not rustc.startswith(f"{RUST}."):
        raise BuildError(f"{RUSTC} is release {rustc}, the build is pinned to {RUST}")
    if of_rustc != installed:
        raise BuildError(
            f"{RUSTC} was built with LLVM {of_rustc}, but llvm-{LLVM} is {installed}"
        )
    return Versions(rustc, installed)


def _is_installed(name: str) -> bool:
    try:
        return (
            run(["dpkg-query", "-W", "-f=${Status}", name]).stdout
            == "install ok installed"
        )
    except BuildError:
        return False


def _field(text: str, name: str) -> str:
    found = re.search(rf"^{name}: (\S+)$", text, re.MULTILINE)
    if found is None:
        raise BuildError(f"{RUSTC} -vV does not tell its {name}")
    return found[1]
