"""What a program in a sandbox sees: Python, the system's libraries, and its own paths.

Home folders, configuration, keys, mounts and sockets of the machine are not among it.
"""

import os
import pwd
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

from flair_client.errors import UsageError

# Where systems keep programs and libraries; a link among them is made as a link.
_SYSTEM: Final = ("/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32")
_FILES: Final = (
    "/etc/alternatives",
    "/etc/ld.so.cache",
    "/etc/ld.so.conf",
    "/etc/ld.so.conf.d",
    "/etc/localtime",
    # What a library asks to know how many processors and caches there are.
    "/sys/devices/system",
    "/nix/store",
)
_DEVICES: Final = ("null", "zero", "full", "random", "urandom")
_GRAPHICS: Final = ("nvidia*", "nvidia-caps", "dri", "kfd", "dxg")
_GRAPHICS_READABLE: Final = ("/sys", "/proc/driver/nvidia", "/etc/OpenCL")


def links() -> list[tuple[str, str]]:
    """Links of the system's at the top: where, and to what."""
    return [
        (one, str(Path(one).readlink())) for one in _SYSTEM if Path(one).is_symlink()
    ]


def check_readable(extra: Sequence[Path], hidden: Sequence[Path]) -> None:
    """Refuses to show a folder that holds the home folder, or one of the hidden.

    A file or folder further in may be named by itself.

    Raises:
        UsageError: names both.
    """
    for path in extra:
        for one in (home_folder(), *hidden):
            if _holds(path, one):
                raise UsageError(
                    f"the recipe's code would read all of {path}, which holds {one}: "
                    f"what it needs must lie in a folder of its own"
                )


def home_folder() -> Path:
    """The user's, whatever the environment says."""
    return Path(pwd.getpwuid(os.getuid()).pw_dir)


def _holds(path: Path, inner: Path) -> bool:
    return inner.resolve().is_relative_to(path.resolve())


def readable_paths(extra: Sequence[Path], device: str) -> list[tuple[str, str]]:
    """Pairs of what is shown, and under which path; folders before what is in them."""
    wanted = [Path(one) for one in (*_SYSTEM, *_FILES) if not Path(one).is_symlink()]
    home = home_folder()
    wanted += [path for path in _python_paths() if not _holds(path, home)]
    if device != "cpu":
        wanted += [Path(one) for one in _GRAPHICS_READABLE]
    wanted += extra
    shown: dict[str, str] = {}
    for path in wanted:
        if not path.exists():
            continue
        real = str(path.resolve())
        # Under its own name too, where a link leads to it.
        shown[real] = real
        shown[str(path.absolute())] = real
    tops = {link for link, _ in links()}
    kept = [
        (source, target)
        for target, source in shown.items()
        if not any(target == top or target.startswith(f"{top}/") for top in tops)
    ]
    return sorted(_without_inner(kept), key=lambda pair: pair[1].count("/"))


def _without_inner(pairs: list[tuple[str, str]]) -> Iterator[tuple[str, str]]:
    """Leaves out what a folder shows already under the same path."""
    same = [target for source, target in pairs if source == target]
    for source, target in pairs:
        if source != target or not any(
            target.startswith(f"{folder.rstrip('/')}/") for folder in same
        ):
            yield source, target


def _python_paths() -> list[Path]:
    """This Python, its libraries, and this package."""
    package = Path(__file__).parents[3]
    found = [Path(sys.prefix), Path(sys.base_prefix), Path(sys.exec_prefix), package]
    found += [
        Path(one)
        for one in sys.path
        if one.endswith(("site-packages", "dist-packages", "lib-dynload", ".zip"))
    ]
    return [*found, Path(sys.executable).resolve().parents[1]]


def devices(device: str) -> list[str]:
    """Devices that are visible."""
    found = [f"/dev/{name}" for name in _DEVICES]
    if device != "cpu":
        found += [str(path) for name in _GRAPHICS for path in Path("/dev").glob(name)]
    return found
