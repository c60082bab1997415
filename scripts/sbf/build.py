"""From a crate to the files that the client ships: a program and its interface."""

import fcntl
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from sbf.commands import progress
from sbf.compile import compile_crate, find_crate, forget
from sbf.errors import BuildError
from sbf.idl import generate_idl
from sbf.lower import build_plugin, link_bitcode, to_object
from sbf.packages import Versions, require
from sbf.relink import relink


@dataclass(frozen=True, slots=True)
class Outputs:
    """The files of one program; no interface for a program that is not Anchor's."""

    program: Path
    idl: Path | None


def build(crate: Path, outputs: Outputs, target_dir: Path) -> None:
    """Builds a program and its interface; the files appear whole or not at all.

    Args:
        crate: Folder of the crate.
        outputs: Files to write.
        target_dir: Folder for what later builds can use again.

    Raises:
        BuildError: A step refused; the text names the thing.
    """
    versions = require()
    found = find_crate(crate)
    with _alone(target_dir), TemporaryDirectory() as folder:
        work = Path(folder)
        progress(f"compiling {found.package} ({versions})")
        forget(found, target_dir)
        libraries = compile_crate(found, target_dir)
        plugin = build_plugin(target_dir)
        progress("generating code")
        to_object(link_bitcode(libraries, work), plugin, work / "program.o")
        relink(work / "program.o", work / "program.so")
        made = {outputs.program: (work / "program.so").read_bytes()}
        if outputs.idl is not None:
            progress("generating the interface")
            made[outputs.idl] = generate_idl(found, target_dir).encode()
    for path, data in made.items():
        _write(path, data)


def check(crate: Path, shipped: Outputs, target_dir: Path) -> None:
    """Builds a program anew and compares it with the shipped one, byte for byte.

    Raises:
        BuildError: They differ (the text names the first difference), or a file
            is missing.
    """
    for path in filter(None, (shipped.program, shipped.idl)):
        if not path.is_file():
            raise BuildError(f"{path} is missing")
    with TemporaryDirectory() as folder:
        built = Outputs(
            Path(folder) / "program.so", shipped.idl and Path(folder) / "program.json"
        )
        build(crate, built, target_dir)
        versions = require()
        _compare(shipped.program, built.program, versions)
        if shipped.idl is not None and built.idl is not None:
            _compare(shipped.idl, built.idl, versions)


def _compare(shipped: Path, built: Path, versions: Versions) -> None:
    old, new = shipped.read_bytes(), built.read_bytes()
    if old != new:
        raise BuildError(
            f"{shipped} differs from what its sources give with {versions}: "
            f"{first_difference(old, new)}"
        )


def first_difference(old: bytes, new: bytes) -> str:
    """Names where shipped and built bytes first differ: a path in JSON, else a byte."""
    try:
        return _json_difference(json.loads(old), json.loads(new), "")
    except ValueError:
        pass
    at = next(
        (i for i, (a, b) in enumerate(zip(old, new, strict=False)) if a != b),
        min(len(old), len(new)),
    )
    shown = [f"{data[at]:#04x}" if at < len(data) else "the end" for data in (old, new)]
    sizes = f"{len(old)} and {len(new)} bytes"
    return f"at byte {at} shipped {shown[0]}, built {shown[1]} ({sizes})"


def _json_difference(old: object, new: object, path: str) -> str:
    if isinstance(old, dict) and isinstance(new, dict):
        for key in [*old, *(key for key in new if key not in old)]:
            if key not in old or key not in new:
                owner = "built" if key in new else "shipped"
                return f"{path}.{key} only in the {owner} one"
            if old[key] != new[key]:
                return _json_difference(old[key], new[key], f"{path}.{key}")
    if isinstance(old, list) and isinstance(new, list):
        for number, (a, b) in enumerate(zip(old, new, strict=False)):
            if a != b:
                return _json_difference(a, b, f"{path}[{number}]")
        if len(old) != len(new):
            return f"{path} has {len(old)} entries shipped, {len(new)} built"
    if old == new:
        return "only in their white space or order of keys"
    return f"{path} is {json.dumps(old)} shipped, {json.dumps(new)} built"


@contextmanager
def _alone(target_dir: Path) -> Iterator[None]:
    """Keeps two builds from changing one target folder at the same time."""
    target_dir.mkdir(parents=True, exist_ok=True)
    with (target_dir / ".build-program.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _write(path: Path, data: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_name(f"{path.name}.new")
    unfinished.write_bytes(data)
    unfinished.replace(path)
