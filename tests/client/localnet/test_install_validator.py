"""The script that builds a validator, up to where it would build."""

import os
import subprocess
from pathlib import Path

ROOT = Path(__file__).parents[3]
NAME = "solana-test-validator"


def install(folder, path):
    return subprocess.run(
        [ROOT / "scripts" / "install-validator", folder],
        env=os.environ | {"PATH": str(path)},
        capture_output=True,
        text=True,
        check=False,
    )


def program(path, script):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)


def test_the_version_that_is_there_is_kept(tmp_path):
    program(tmp_path / NAME, f"echo '{NAME} 4.2.0 (src:0; feat:0, client:Agave)'")

    done = install(tmp_path, "/usr/bin:/bin")

    assert done.returncode == 0, done.stderr
    assert f"{NAME} 4.2.0 is in" in done.stderr


def test_what_was_built_is_not_installed_where_it_is_another_version(tmp_path):
    program(tmp_path / NAME, f"echo '{NAME} 1.0.0 (src:0)'")
    tools = tmp_path / "tools"
    for name in ("protoc", "pkg-config", "clang-22"):
        program(tools / name, "exit 0")
    # A cargo that builds something else than it was asked for.
    program(
        tools / "cargo",
        '[ "$1" = --version ] && exit 0\n'
        'while [ $# -gt 0 ]; do [ "$1" = --root ] && out=$2; shift; done\n'
        f'mkdir -p "$out/bin"; printf "#!/bin/sh\\necho {NAME} 9.9.9\\n"'
        f' > "$out/bin/{NAME}"; chmod +x "$out/bin/{NAME}"',
    )

    done = install(tmp_path, f"{tools}:/usr/bin:/bin")

    assert done.returncode == 1
    assert f"says {NAME} 9.9.9 and is not installed" in done.stderr
    assert "1.0.0" in (tmp_path / NAME).read_text()


def test_libraries_that_are_missing_are_named_with_their_packages(tmp_path):
    tools = tmp_path / "tools"
    program(tools / "cargo", "exit 0")
    program(tools / "pkg-config", "exit 1")

    done = install(tmp_path / "bin", f"{tools}:/usr/bin:/bin")

    assert done.returncode == 1
    assert "libudev openssl" in done.stderr
    assert "apt-get install" in done.stderr
