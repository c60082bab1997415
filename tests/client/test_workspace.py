"""The workspace: finding, HEAD, markers and the lock between processes."""

import os
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from flair_client.errors import NotAWorkspace, WorkspaceError, WorkspaceLocked
from flair_client.ids import Address, CommitId
from flair_client.porcelain.refs import remember_verified, verified_commits
from flair_client.repo_address import RepoAddress
from flair_client.workspace import Head, find_workspace, make_workspace

COMMIT = CommitId(bytes(range(32)))
REPO = RepoAddress("localnet", Address(bytes([7] * 32)), "heart")
HOLDER = """
import sys
import tomllib
from pathlib import Path
from flair_client.workspace import find_workspace
with find_workspace(Path(sys.argv[1])).lock():
    print("held", flush=True)
    sys.stdin.read()
"""


def test_find_workspace_from_a_subfolder(tmp_path: Path) -> None:
    made = make_workspace(tmp_path / "model")
    below = tmp_path / "model" / "a" / "b"
    below.mkdir(parents=True)
    assert find_workspace(below) == made


def test_find_workspace_where_there_is_none(tmp_path: Path) -> None:
    with pytest.raises(NotAWorkspace):
        find_workspace(tmp_path)


def test_make_workspace_again_keeps_what_is_there(tmp_path: Path) -> None:
    make_workspace(tmp_path).set_head(Head("main", COMMIT))
    assert make_workspace(tmp_path).head() == Head("main", COMMIT)


@pytest.mark.parametrize("commit", [COMMIT, None])
def test_head_comes_back(tmp_path: Path, commit: CommitId | None) -> None:
    workspace = make_workspace(tmp_path)
    assert workspace.head() is None
    workspace.set_head(Head("trial", commit))
    assert workspace.head() == Head("trial", commit)


@pytest.mark.parametrize(
    "raw",
    [
        b"branch = 'main'\ncommit = 'ff'",
        b"commit = 1",
        b"= =",
        b"\xff\xfe",
        b"x" * 2**21,
        b"a = " + b"[" * 50_000,
    ],
)
def test_head_that_was_damaged(tmp_path: Path, raw: bytes) -> None:
    workspace = make_workspace(tmp_path)
    (workspace.state_folder / "HEAD").write_bytes(raw)
    with pytest.raises(WorkspaceError, match=r"HEAD is damaged"):
        workspace.head()


def test_repo_before_and_after_binding(tmp_path: Path) -> None:
    workspace = make_workspace(tmp_path)
    with pytest.raises(WorkspaceError, match="no repository yet"):
        workspace.repo()
    workspace.bind(REPO.at("main"), "main", "file:///blocks")
    assert workspace.repo() == REPO


def test_marker_lives_until_it_is_cleared(tmp_path: Path) -> None:
    workspace = make_workspace(tmp_path)
    assert workspace.marker("pending") is None
    workspace.set_marker("pending", {"commit": "ab", "weight": 4, "nothing": None})
    assert workspace.marker("pending") == {"commit": "ab", "weight": 4}
    workspace.clear_marker("pending")
    workspace.clear_marker("pending")
    assert workspace.marker("pending") is None


def test_lock_removes_what_killed_commands_left_unfinished(tmp_path: Path) -> None:
    workspace = make_workspace(tmp_path)
    state = workspace.state_folder
    unfinished = [
        tmp_path / ".weights.safetensors.a1b2c3d4",
        tmp_path / ".flair.toml.mine._abcdefg",
        state / ".HEAD.abcdefgh",
        state / "state" / ".pending.toml.12345678",
    ]
    kept = [
        tmp_path / ".weights.safetensors.swp",
        tmp_path / ".notes.abcdefgh",
        tmp_path / "weights.safetensors.abcdefgh",
        # Written by others while somebody has the lock.
        state / ".config.abcdefgh",
        state / "state" / "pending.toml",
    ]
    for path in (*unfinished, *kept):
        path.touch()

    with workspace.lock():
        pass

    assert not [path for path in unfinished if path.exists()]
    assert all(path.exists() for path in kept)


def test_lock_names_the_process_that_holds_it_and_ends_with_it(tmp_path: Path) -> None:
    workspace = make_workspace(tmp_path)
    with subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(tmp_path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env=os.environ,
    ) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"held\n"
        with (
            pytest.raises(WorkspaceLocked, match=rf"\(pid {holder.pid}\)"),
            workspace.lock(),
        ):
            pass
        holder.kill()
        holder.wait()
    with workspace.lock():
        assert (workspace.state_folder / "lock.pid").read_text() == f"{os.getpid()}\n"


def test_more_verified_commits_than_a_marker_may_hold(tmp_path):
    workspace = make_workspace(tmp_path)
    many = {CommitId(number.to_bytes(32, "big")) for number in range(20_000)}

    remember_verified(workspace, many)
    remember_verified(workspace, [CommitId(bytes([1]) * 32)])

    assert verified_commits(workspace) == many | {CommitId(bytes([1]) * 32)}
    table = tomllib.loads((tmp_path / ".flair/state/verified.toml").read_text())
    assert len(table["commits"]) == 20_001


@pytest.mark.parametrize(
    "text", ["", "commits = []\n", 'commits = [\n  "{id}",\n]\n', "commits=['{id}']"]
)
def test_verified_commits_are_read_in_any_form_of_toml(tmp_path, text):
    workspace = make_workspace(tmp_path)
    path = tmp_path / ".flair" / "state" / "verified.toml"
    path.write_text(text.format(id="ab" * 32))

    found = verified_commits(workspace)

    assert found == ({CommitId(bytes([0xAB]) * 32)} if "id" in text else set())


@pytest.mark.parametrize("text", ["commits = 1", "commits = ['x']", "commits = [", "="])
def test_damaged_verified_commits_are_told(tmp_path, text):
    workspace = make_workspace(tmp_path)
    (tmp_path / ".flair" / "state" / "verified.toml").write_text(text)

    with pytest.raises(WorkspaceError, match=r"verified\.toml is damaged"):
        verified_commits(workspace)
