"""The demo as a user runs it: one command in an empty folder."""

import json
import os
import re
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from flair_client.config_file import write_config

FLAIR = Path(sys.executable).with_name("flair")
PROMISED = {
    "dataset",
    "hospitals",
    "rounds",
    "head",
    "local_auc",
    "federated_auc",
    "pooled_auc",
    "verified",
    "reverted",
    "bytes_moved",
    "seconds",
}


def flair(folder: Path, *arguments: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [FLAIR, *arguments],
        cwd=folder,
        env=os.environ | {"FLAIR_HOME": str(folder / "user")},
        check=False,
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
    )


@pytest.fixture(scope="module")
def played(tmp_path_factory):
    folder = tmp_path_factory.mktemp("demo")
    # Around the demo lies a workspace with a store of its own, which is not meant.
    write_config(
        folder / ".flair" / "config",
        {
            "workspace.repo": f"flair://localnet/{'1' * 32}/other",
            "workspace.branch": "main",
            "workspace.store": (folder / "other").as_uri(),
        },
    )
    done = flair(folder, "demo", "--json")
    assert done.returncode == 0, done.stderr
    return folder, done


def test_first_line_says_what_public_means(played):
    _, done = played
    first = done.stderr.splitlines()[0]
    assert first.startswith("mode public: every single update is readable by everyone")


def test_last_line_is_an_object_with_the_result(played):
    _, done = played
    (line,) = done.stdout.splitlines()
    found = json.loads(line)
    assert found.keys() >= PROMISED
    assert found["dataset"] == "breast-cancer"
    assert (found["hospitals"], found["rounds"]) == (4, 3)
    assert found["verified"] is True
    assert found["reverted"] == "delft"
    assert len(found["head"]) == 64
    # Every commit's weights are at least fetched by four hospitals.
    assert found["bytes_moved"] > 4 * 6 * 121 * 4
    # Sharing helps the average hospital, and comes close to all rows in one place.
    assert found["local_auc"] + 0.005 < found["federated_auc"]
    assert found["federated_auc"] > found["pooled_auc"] - 0.02


def test_report_shows_every_model(played):
    folder, _ = played
    report = folder / "flair-demo" / "report"
    page = (report / "report.html").read_text()
    for name in ("aachen alone", "federated, round 3", "pooled", "without delft"):
        assert name in page
    assert (report / "report.png").read_bytes().startswith(b"\x89PNG")


def test_the_hospitals_are_strangers_to_each_other(played):
    folder = played[0] / "flair-demo"
    wallets = {path.name: path.read_bytes() for path in folder.glob("home/wallets/*")}
    assert len(set(wallets.values())) == len(wallets) == 6
    for hospital in ("aachen", "bergen", "coimbra", "delft"):
        workspace = folder / hospital
        assert (workspace / ".flair" / "HEAD").is_file()
        assert not [p for p in workspace.rglob("*") if "csv" in p.suffix]


def test_a_folder_that_is_not_the_demos_is_left_alone(tmp_path):
    mine = tmp_path / "flair-demo"
    mine.mkdir()
    (mine / "thesis.txt").write_text("years of work")
    done = flair(tmp_path, "demo")
    assert done.returncode == 2
    assert "no earlier demo made it" in done.stderr
    assert (mine / "thesis.txt").read_text() == "years of work"


def test_heart_disease_without_its_files_is_a_clear_error(tmp_path):
    done = flair(tmp_path, "demo", "--dataset", "heart-disease")
    assert done.returncode == 2
    assert "--data" in done.stderr
    (tmp_path / "empty").mkdir()
    done = flair(tmp_path, "demo", "--dataset", "heart-disease", "--data", "empty")
    assert done.returncode == 2
    assert "processed.cleveland.data cannot be read" in done.stderr
    assert not (tmp_path / "flair-demo").exists()


def test_sigterm_leaves_no_process_behind(tmp_path):
    with subprocess.Popen(
        [FLAIR, "demo"],
        cwd=tmp_path,
        env=os.environ | {"FLAIR_HOME": str(tmp_path / "user")},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    ) as demo:
        lines = (
            re.search(r"localnet at http://127.0.0.1:(\d+)", one) for one in demo.stderr
        )
        found = next(one for one in lines if one)
        demo.send_signal(signal.SIGTERM)
        # Its children have the same pipe: it ends when the last of them is gone.
        demo.stderr.read()
    assert demo.returncode != 0
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", int(found[1])), timeout=5).close()
