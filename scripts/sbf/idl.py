"""The interface description (IDL, specification 0.1.0) of an Anchor program.

Anchor's macros write a test for each part of the interface, which prints the part
between markers. The tests run on the host, with the same compiler as the program; the
parts are put together here, sorted, so that the same sources give the same bytes.
"""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeAlias

from sbf.commands import run
from sbf.compile import Crate
from sbf.errors import BuildError
from sbf.packages import CARGO, RUSTC

SPECIFICATION = "0.1.0"

_BEGIN = re.compile(r"^(?:test \S+ \.\.\. )?--- IDL begin (\w+) ---$")
_PATH = re.compile(r"^(?:\w+::)+(\w+)$")

Json: TypeAlias = dict[str, Any]


@dataclass(slots=True)
class Parts:
    """What the tests printed."""

    address: str = ""
    program: Json | None = None
    constants: list[Json] = field(default_factory=list)
    events: list[Json] = field(default_factory=list)
    errors: list[Json] = field(default_factory=list)
    types: dict[str, Json] = field(default_factory=dict)


def generate_idl(crate: Crate, target_dir: Path) -> str:
    """Compiles the crate's interface tests, runs them and returns the IDL as JSON text.

    Raises:
        BuildError: The crate does not compile under `idl-build`, or what it printed is
            no interface.
    """
    features = "--features=idl-build,no-entrypoint"
    command: list[str | Path] = [
        CARGO,
        "test",
        "--quiet",
        *crate.locked,
        "--lib",
        f"--target-dir={target_dir}",
        features,
    ]
    tests = ["--", "__anchor_private_print_idl", "--show-output", "--test-threads=1"]
    environment = {
        "RUSTC": str(RUSTC),
        "RUSTFLAGS": "-Awarnings",
        "CARGO_PROFILE_DEV_DEBUG": "0",
        "CARGO_PROFILE_TEST_DEBUG": "0",
    }
    done = run(
        [*command, *tests], cwd=crate.folder, environment=environment, show_errors=True
    )
    return (
        json.dumps(assemble(read_parts(done.stdout)), indent=2, ensure_ascii=False)
        + "\n"
    )


def read_parts(output: str) -> Parts:
    """Reads the parts out of what the tests printed.

    Raises:
        BuildError: A part is not closed or is no JSON; the text names its marker.
    """
    parts = Parts()
    for kind, text in _sections(output):
        if kind == "address":
            parts.address = text.strip()
            continue
        try:
            value = json.loads(text)
        except ValueError as error:
            raise BuildError(
                f"the interface part '{kind}' is no JSON: {error}"
            ) from error
        if kind == "program":
            parts.program = value
        elif kind == "const":
            parts.constants.append(value)
        elif kind == "errors":
            parts.errors.extend(value)
        elif kind == "event":
            parts.events.append(value["event"])
            parts.types.update({defined["name"]: defined for defined in value["types"]})
        else:
            raise BuildError(f"the interface part '{kind}' is unknown")
    return parts


def _sections(output: str) -> Iterator[tuple[str, str]]:
    lines = iter(output.splitlines())
    for line in lines:
        begin = _BEGIN.match(line)
        if begin is None:
            continue
        kind, body = begin[1], []
        for inner in lines:
            if inner == f"--- IDL end {kind} ---":
                break
            body.append(inner)
        else:
            raise BuildError(f"the interface part '{kind}' is not closed")
        yield kind, "\n".join(body)


def assemble(parts: Parts) -> Json:
    """Puts the parts together, each list sorted by name (errors by code).

    Raises:
        BuildError: There is no program or no address, or two things share a name, a
            code or a discriminator.
    """
    if parts.program is None or not parts.address:
        raise BuildError(
            "the crate printed no program and address: "
            "is it an Anchor program with the feature idl-build?"
        )
    types = parts.types | {
        defined["name"]: defined for defined in parts.program["types"]
    }
    idl: Json = {
        "address": parts.address,
        "metadata": parts.program["metadata"],
        "instructions": _by_name(parts.program["instructions"]),
        "accounts": _by_name(parts.program["accounts"]),
        "events": _by_name(parts.events),
        "errors": sorted(parts.errors, key=lambda error: int(error["code"])),
        "types": _by_name(list(types.values())),
        "constants": _by_name(parts.constants),
    }
    if idl["metadata"].get("spec") != SPECIFICATION:
        raise BuildError(
            f"the interface follows specification {idl['metadata'].get('spec')}, "
            f"not {SPECIFICATION}"
        )
    idl = _short_names(idl)
    _refuse_doubles(idl)
    return idl


def _by_name(values: list[Json]) -> list[Json]:
    return sorted(values, key=lambda value: str(value["name"]))


def _short_names(idl: Json) -> Json:
    """Replaces paths of modules by the last name where that stays unambiguous."""
    paths = {text for text in _texts(idl) if _PATH.match(text)}
    short: dict[str, str] = {}
    for path in paths:
        name = path.rpartition("::")[2]
        if sum(other.endswith(f"::{name}") for other in paths) == 1:
            short[path] = name
    return dict(_replaced(idl, short))


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, list):
        for item in value:
            yield from _texts(item)
    elif isinstance(value, dict):
        for item in value.values():
            yield from _texts(item)


def _replaced(value: Any, names: dict[str, str]) -> Any:
    if isinstance(value, str):
        return names.get(value, value)
    if isinstance(value, list):
        return [_replaced(item, names) for item in value]
    if isinstance(value, dict):
        return {key: _replaced(item, names) for key, item in value.items()}
    return value


def _refuse_doubles(idl: Json) -> None:
    for kind in ("instructions", "accounts", "events"):
        seen: dict[bytes, str] = {}
        for value in idl[kind]:
            discriminator, name = bytes(value["discriminator"]), value["name"]
            for other, other_name in seen.items():
                if discriminator.startswith(other) or other.startswith(discriminator):
                    raise BuildError(
                        f"{kind} {other_name} and {name} begin with the same bytes"
                    )
            seen[discriminator] = name
    codes: dict[int, str] = {}
    for error in idl["errors"]:
        if codes.setdefault(error["code"], error["name"]) != error["name"]:
            raise BuildError(
                f"errors {codes[error['code']]} and {error['name']} "
                f"share the code {error['code']}"
            )
