"""The script that builds Kubo, up to where it would build."""

import os
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
VERSION = "0.42.0"


def install(folder, path):
    return subprocess.run(
        [ROOT / "scripts" / "install-kubo", folder],
        env=os.environ | {"PATH": path},
        capture_output=True,
        text=True,
        check=False,
    )


def program(path, says):
    path.write_text(f"#!/bin/sh\necho '{says}'\n")
    path.chmod(0o755)


def test_without_go_the_script_says_so(tmp_path):
    done = install(tmp_path / "bin", "/usr/bin:/bin")
    if "building" in done.stderr:
        pytest.skip("this machine has Go in /usr/bin")

    assert done.returncode == 1
    assert "built by Go, which is not installed" in done.stderr


def test_the_version_that_is_there_is_kept(tmp_path):
    program(tmp_path / "ipfs", f"ipfs version {VERSION}")

    done = install(tmp_path, "/usr/bin:/bin")

    assert done.returncode == 0, done.stderr
    assert f"Kubo {VERSION} is in" in done.stderr


def test_what_was_built_is_not_installed_where_it_is_another_version(tmp_path):
    program(tmp_path / "ipfs", "ipfs version 0.1.0")
    tools = tmp_path / "tools"
    tools.mkdir()
    # A Go that builds nothing of what it was asked for.
    (tools / "go").write_text(
        "#!/bin/sh\n"
        'while [ $# -gt 0 ]; do [ "$1" = -o ] && out=$2; shift; done\n'
        '[ -n "$out" ] || exit 0\n'
        'printf "#!/bin/sh\\necho ipfs version 9.9.9\\n" > "$out"; chmod +x "$out"\n'
    )
    (tools / "go").chmod(0o755)

    done = install(tmp_path, f"{tools}:/usr/bin:/bin")

    assert done.returncode == 1
    assert "says ipfs version 9.9.9 and is not installed" in done.stderr
    assert "0.1.0" in (tmp_path / "ipfs").read_text()
