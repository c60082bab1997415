"""The demo with a real IPFS node as the shared store."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from flair_client.cli.app import run
from flair_client.store.ipfs_daemon import find_kubo

FLAIR = Path(sys.executable).with_name("flair")


def test_the_demo_shares_its_blocks_through_an_ipfs_node(tmp_path):
    if find_kubo(os.environ.get("FLAIR_KUBO")) is None:
        pytest.skip("no ipfs on PATH or in ~/.cache/flair/bin: scripts/install-kubo")

    done = subprocess.run(
        [FLAIR, "demo", "--store", "kubo", "--rounds", "1", "--json"],
        cwd=tmp_path,
        env=os.environ | {"FLAIR_HOME": str(tmp_path / "user")},
        check=False,
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
    )

    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout.splitlines()[-1])
    assert found["verified"] is True
    assert found["bytes_moved"] > 0
    assert "IPFS node at kubo://127.0.0.1:" in done.stderr
    assert not (tmp_path / "flair-demo" / "localnet" / "blocks").exists()


def test_without_a_node_the_demo_says_what_to_install(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("FLAIR_KUBO", str(tmp_path / "nothing"))
    monkeypatch.chdir(tmp_path)

    code = run(["demo", "--store", "kubo", "--json", "--home", str(tmp_path / "home")])

    assert code == 2
    error = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert error["error_code"] == "KuboMissing"
    assert "scripts/install-kubo" in error["hint"]
