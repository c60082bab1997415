"""What Anchor's own tools need of these sources, as their own source code reads it.

The tools themselves are not at hand in tests; what they check before they build, and
what they hand to cargo, is checked here.
"""

import json
import re
import shutil
import subprocess
import tomllib
from pathlib import Path

import pytest

from flair_client.chain.pdas import PROGRAM_ID

ROOT = Path(__file__).parents[2]
CRATE = ROOT / "programs" / "flair"
ANCHOR = tomllib.loads((ROOT / "Anchor.toml").read_text())
WORKSPACE = tomllib.loads((ROOT / "Cargo.toml").read_text())
MANIFEST = tomllib.loads((CRATE / "Cargo.toml").read_text())
# `anchor build` of 2.0.0-rc.2 calls `cargo build-sbf --tools-version v1.52`, whose
# compiler is this one.
RUST_OF_PLATFORM_TOOLS = (1, 89, 0)


def cargo(*arguments):
    found = shutil.which("cargo")
    if found is None:
        pytest.skip("cargo is not installed")
    done = subprocess.run(
        [found, *arguments, "--locked", "--offline"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    if "--offline" in done.stderr and done.returncode != 0:
        pytest.skip("the crates are not on this machine")
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_program_has_one_address_everywhere():
    declared = re.findall(r'declare_id!\("(\w+)"\)', (CRATE / "src/lib.rs").read_text())
    packaged = ROOT / "client" / "flair_client" / "chain" / "flair.json"

    assert declared == [str(PROGRAM_ID)]
    assert set(ANCHOR["programs"]) == {"localnet"}
    assert ANCHOR["programs"]["localnet"] == {"flair": str(PROGRAM_ID)}
    assert json.loads(packaged.read_text())["address"] == str(PROGRAM_ID)


def test_the_tool_has_the_version_of_the_library():
    dependency = MANIFEST["dependencies"]["anchor-lang"]

    assert dependency["version"] == f"={ANCHOR['toolchain']['anchor_version']}"


def test_the_tool_finds_what_it_refuses_to_build_without():
    # Overflow checks in the root, the interface's feature in the crate, a cdylib.
    assert WORKSPACE["profile"]["release"]["overflow-checks"] is True
    assert MANIFEST["features"]["idl-build"] == ["anchor-lang/idl-build"]
    assert "idl-build" not in MANIFEST["features"]["default"]
    assert "cdylib" in MANIFEST["lib"]["crate-type"]
    assert WORKSPACE["workspace"]["members"] == ["programs/*"]


def test_no_dependency_wants_a_newer_compiler_than_the_tools_have():
    found = json.loads(cargo("metadata", "--format-version", "1"))

    wanted = {
        f"{one['name']} {one['version']}": tuple(
            map(int, one["rust_version"].split("."))
        )
        for one in found["packages"]
        if one["rust_version"]
    }
    newer = {name for name, least in wanted.items() if least > RUST_OF_PLATFORM_TOOLS}
    assert newer == set()
    assert len(wanted) > 10


@pytest.mark.sbf
def test_the_crate_compiles_for_the_host_as_it_is():
    cargo("check", "--workspace", "--target-dir", "target/host")


@pytest.mark.parametrize(
    ("arguments", "folder", "told"),
    [
        (("build-sbf", "--arch", "v0"), CRATE, "knows no --arch"),
        (("build-sbf", "--tools-version", "v1.52"), ROOT / "docs", "no Cargo.toml"),
    ],
)
def test_our_build_sbf_says_what_it_does_not_do(arguments, folder, told):
    done = subprocess.run(
        [ROOT / "scripts/anchor/cargo-build-sbf", *arguments],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 2
    assert told in done.stderr
