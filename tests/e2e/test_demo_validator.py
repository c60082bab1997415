"""The demo on a real node that it starts and deploys the program to."""

import json
import os
import socket
import subprocess
import sys
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from flair_client.cli.app import run
from flair_client.config_file import read_config
from flair_client.localnet.validator import find_validator

FLAIR = Path(sys.executable).with_name("flair")


@pytest.mark.validator
def test_the_demo_deploys_the_program_to_a_real_node_and_runs_there(tmp_path):
    if find_validator(os.environ.get("FLAIR_TEST_VALIDATOR")) is None:
        pytest.skip("there is no solana-test-validator; scripts/install-validator")

    done = subprocess.run(
        [FLAIR, "demo", "--network", "validator", "--rounds", "1", "--json"],
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
    assert found["repo"].startswith("flair://test-validator/")
    # That of statistics, and one of training.
    assert len(found["round_seconds"]) == 2
    assert "bytes by the loader" in done.stderr
    assert "on chain; upgrade authority " in done.stderr
    _check_stopped(tmp_path / "flair-demo")


def _check_stopped(folder):
    url = read_config(folder / "home" / "config.toml")["network.test-validator.url"]
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", urlsplit(url).port), timeout=5).close()


def test_without_a_node_the_demo_says_what_to_install(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("FLAIR_TEST_VALIDATOR", str(tmp_path / "nothing"))

    error = _fails(["demo", "--network", "validator"], tmp_path, monkeypatch, capsys)

    assert error["error_code"] == "ValidatorMissing"
    assert "scripts/install-validator" in error["hint"]


def test_the_demo_runs_on_nobody_else_s_chain(tmp_path, monkeypatch, capsys):
    error = _fails(["demo", "--network", "devnet"], tmp_path, monkeypatch, capsys)

    assert "--network localnet or --network validator" in error["message"]
    assert "'devnet'" in error["message"]


def _fails(words, folder, monkeypatch, capsys):
    monkeypatch.chdir(folder)
    code = run([*words, "--json", "--home", str(folder / "home")])
    assert code == 2
    assert not (folder / "flair-demo").exists()
    return json.loads(capsys.readouterr().out.splitlines()[-1])
