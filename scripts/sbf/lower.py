"""Bitcode to a BPF object: link, the passes of `passes/`, LLVM's code generator."""

import hashlib
import os
import re
import shlex
import subprocess
from pathlib import Path
from tempfile import TemporaryDirectory

from sbf.commands import progress, run
from sbf.errors import BuildError
from sbf.packages import LLVM

PASSES = Path(__file__).resolve().parent / "passes"

ROOTS = ("entrypoint", "__bpf_trap")
"""What the loader calls, and what llc calls where control must not come."""

DIVISIONS = ("__udivti3", "__umodti3", "__divti3", "__modti3")
"""Functions of compiler_builtins that `sbf-divide` may call."""

BEFORE = "sbf-panic,sbf-libc,internalize,globaldce"
"""Panics first: what only they reach is dropped before it costs time or is refused."""

_EXPAND = ["sbf-divide", "sbf-shift", "sbf-multiply", "sbf-memory"]

AFTER = ",".join(
    [
        "default<O2>",
        "lower-atomic",
        "sbf-sret",
        *_EXPAND,
        "internalize",
        "globaldce",
        # last, so that every call that there will be is there
        "sbf-pack",
        "function(sroa,instcombine,simplifycfg)",
        # the clean-up may make new wide products and memory intrinsics of the old ones
        *_EXPAND,
    ]
)

FRAME_BYTES = 4096
"""Size of a call's frame in sBPF; a larger one would overwrite the caller's."""

LLC = [
    f"llc-{LLVM}",
    "-march=bpfel",
    "-mcpu=v2",
    "-mattr=+allows-misaligned-mem-access",
    f"-bpf-stack-size={FRAME_BYTES}",
    "-expand-div-rem-bits=64",
    "-filetype=obj",
]


def build_plugin(target_dir: Path) -> Path:
    """Compiles `passes/` to a plugin of LLVM, kept in the target folder by its digest.

    Raises:
        BuildError: g++ failed.
    """
    config = f"llvm-config-{LLVM}"
    flags = shlex.split(run([config, "--cxxflags"]).stdout)
    sources = sorted(PASSES.glob("*.cpp"))
    digest = hashlib.sha256(run([config, "--version"]).stdout.encode())
    for file in [*sources, *sorted(PASSES.glob("*.h"))]:
        digest.update(
            f"{file.name}\0{file.stat().st_size}\0".encode() + file.read_bytes()
        )
    plugin = target_dir / f"passes-{digest.hexdigest()[:16]}.so"
    if plugin.is_file():
        return plugin
    progress("compiling the passes")
    target_dir.mkdir(parents=True, exist_ok=True)
    unfinished = plugin.with_suffix(f".{os.getpid()}")
    options = [
        "-std=c++17",
        "-O1",
        "-fPIC",
        "-shared",
        "-fno-rtti",
        "-Wall",
        "-Wextra",
        "-Wno-unused-parameter",
    ]
    system = [
        word.replace("-I", "-isystem", 1) if word.startswith("-I") else word
        for word in flags
    ]
    run(["g++", *system, *options, *sources, "-o", unfinished])
    return unfinished.replace(plugin)


def link_bitcode(libraries: list[Path], work: Path) -> Path:
    """Joins the objects of Rust libraries to one module, in the order given."""
    objects: list[Path] = []
    for number, library in enumerate(libraries):
        folder = work / f"{number:04}"
        folder.mkdir()
        run([f"llvm-ar-{LLVM}", "x", library], cwd=folder)
        objects += sorted(folder.glob("*.o"))
    module = work / "linked.bc"
    run([f"llvm-link-{LLVM}", *objects, "-o", module])
    return module


def to_object(module: Path, plugin: Path, output: Path) -> None:
    """Optimises a module for sBPF and generates its code.

    Args:
        module: Bitcode or LLVM assembly that defines `entrypoint`.
        plugin: The passes, from `build_plugin`.
        output: The BPF object to write.

    Raises:
        BuildError: A pass or the code generator refused something; the text names the
            function.
    """
    with TemporaryDirectory() as folder:
        live, final = Path(folder) / "live.bc", Path(folder) / "final.bc"
        opt = [f"opt-{LLVM}", f"-load-pass-plugin={plugin}"]
        keep = "-internalize-public-api-list="
        run(
            [
                *opt,
                keep + ",".join(ROOTS + DIVISIONS),
                f"-passes={BEFORE}",
                module,
                "-o",
                live,
            ]
        )
        run([*opt, keep + ",".join(ROOTS), f"-passes={AFTER}", live, "-o", final])
        _generate(final, output)


def _generate(module: Path, output: Path) -> None:
    # not `run`: a warning of llc means wrong code as well
    done = subprocess.run(
        [*LLC, module, "-o", output],
        capture_output=True,
        text=True,
        check=False,
        stdin=subprocess.DEVNULL,
    )
    complaints = list(
        dict.fromkeys(filter(None, map(str.strip, done.stderr.split("\n"))))
    )
    too_large = [
        found[1]
        for line in complaints
        if (found := re.search(r"in function (\S+) .*stack limit", line))
    ]
    if too_large:
        names = _demangle(", ".join(dict.fromkeys(too_large)))
        raise BuildError(f"stack frames that reach {FRAME_BYTES} bytes: {names}")
    if done.returncode != 0 or complaints:
        said = _demangle("\n".join(complaints))
        raise BuildError(f"the code generator refused the program:\n{said}")


def _demangle(text: str) -> str:
    return subprocess.run(
        [f"llvm-cxxfilt-{LLVM}"], input=text, capture_output=True, text=True, check=True
    ).stdout.strip()
