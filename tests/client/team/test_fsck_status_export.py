"""`flair fsck`, `status` and `export` on a history that a real localnet made."""

import shutil
from dataclasses import replace

import pytest

from flair_client.chain.accounts import MoveKind
from flair_client.chain.signer import create_wallet
from flair_client.encoding import encode_commit, encode_event_list, sign_commit
from flair_client.history.events import events_for_commit
from flair_client.history.graph import read_commit, walk
from flair_client.ids import CODEC_DAG_CBOR, CommitId
from flair_client.objects import CommitKind
from flair_client.porcelain.advance import advance
from flair_client.porcelain.fsck import fsck
from flair_client.porcelain.pull import pull
from flair_client.porcelain.revert import revert
from flair_client.workspace import Workspace


@pytest.fixture(scope="module")
def net(tmp_path_factory):
    from flair_client.localnet import start_localnet

    with start_localnet(tmp_path_factory.mktemp("net") / "chain") as started:
        yield started


@pytest.fixture(scope="module")
def team(net, tmp_path_factory):
    """Two merges and a revert; the sites' clones stand at older commits."""
    from team_world import Team

    made = Team(net, tmp_path_factory.mktemp("team"))
    made.publish()
    made.join(2)
    made.first = made.run_round(0.25, 0.75)
    made.second = made.run_round(0.125)
    pull(made.owner, made.workspace)
    made.revert = revert(made.owner, made.workspace, str(made.first)).commit
    yield made
    for ctx in (made.owner, *(ctx for ctx, _ in made.sites)):
        ctx.chain.close()


@pytest.fixture
def stranger(team, flair, tmp_path):
    """A fresh clone."""
    folder = tmp_path / "stranger"
    assert flair("clone", team.repo, folder, "--trust").code == 0
    return Workspace(folder)


def test_a_fresh_clone_has_everything(team, flair, stranger):
    found = flair("fsck", "--json", cwd=stranger.folder).result

    assert found["faults"] == []
    # The root, two merges, four updates and a revert.
    assert found["n_commits"] == 8
    assert found["weights_differ"] is False


def test_the_owner_and_the_sites_have_everything(team, flair):
    for _, workspace in team.sites:
        assert flair("fsck", cwd=workspace.folder).code == 0
    assert flair("fsck").code == 0


def test_each_block_of_the_history_is_looked_for(team, stranger):
    store = stranger.cache()
    # Events lie there too, found by the history root; no commit refers to them.
    n_unmissed = 0
    for cid in list(store):
        block = store.get(cid)
        store.delete(cid)
        left = fsck(team.owner, stranger).left
        assert all(f"block {cid}" in fault.what for fault in left)
        n_unmissed += not left
        store.put(cid.codec, block)
    assert n_unmissed == team.place.repo.account.event_seq


def test_everything_is_fetched_again(team, flair, stranger):
    shutil.rmtree(stranger.state_folder / "objects")

    assert flair("fsck", cwd=stranger.folder).code == 5
    assert flair("fsck", "--repair", cwd=stranger.folder).code == 0
    assert flair("fsck", cwd=stranger.folder).code == 0


def test_a_lost_update_of_an_old_merge_says_what_it_is_of(team, flair, stranger):
    update = read_commit(team.owner.remote, team.first).parents[1]
    delta = read_commit(team.owner.remote, update).delta
    stranger.cache().delete(delta)

    said = flair("fsck", cwd=stranger.folder)

    assert said.code == 5
    assert f"block {delta} (delta of commit {update.short})" in said.err


def test_status_counts_the_moves_that_are_missed(team, flair):
    _, site = team.sites[0]
    ran = flair("status", cwd=site.folder)
    found = flair("status", "--json", cwd=site.folder).result

    assert ran.code == 0
    # It stands at the first merge: the second one and the revert came after.
    assert f"HEAD is 2 commits behind {team.revert.short}" in ran.out
    assert found["chain"]["n_behind"] == 2
    assert found["next_command"] == "flair pull"
    assert found["chain"]["round"] is None


def test_old_states_are_exported(team, flair, tmp_path, stranger):
    root = tmp_path / "root.safetensors"
    first = tmp_path / "first.safetensors"
    head = tmp_path / "head.safetensors"

    for ref, path in (("HEAD~3", root), ("HEAD~2", first), ("main", head)):
        assert flair("export", ref, "-o", path, cwd=stranger.folder).code == 0

    assert head.read_bytes() == stranger.weights_path.read_bytes()
    assert len({path.read_bytes() for path in (root, first, head)}) == 3
    ids = [str(one) for one, _ in walk(team.owner.remote, team.root)]
    found = flair("export", team.root, "-o", root, "-f", "--json", cwd=stranger.folder)
    assert [found.result["commit"]] == ids


def signed_by_another(team, tmp_path) -> CommitId:
    """A snapshot of the head in the owner's name, with somebody else's signature."""
    head = team.head
    before = read_commit(team.owner.remote, head)
    events = events_for_commit(
        team.owner.chain, team.owner.remote, team.place.repo.address, before
    )
    snapshot = replace(
        before,
        kind=CommitKind.SNAPSHOT,
        parents=(head,),
        reverts=None,
        round_index=None,
        message="mine",
        events=team.owner.remote.put(CODEC_DAG_CBOR, encode_event_list(events)),
        signature=b"",
    )
    thief = create_wallet(tmp_path / "thief.json")
    forged = sign_commit(snapshot, team.owner.wallet.address, thief.sign)
    cid = team.owner.remote.put(CODEC_DAG_CBOR, encode_commit(forged))
    return CommitId(cid.digest)


def test_a_head_signed_by_another_is_not_followed(net, flair, tmp_path):
    from team_world import Team

    team = Team(net, tmp_path / "forged")
    team.publish()
    team.join(1)
    _, site = team.sites[0]
    good = team.head
    advance(
        team.owner, team.place, MoveKind.SNAPSHOT, signed_by_another(team, tmp_path)
    )
    before = site.weights_path.read_bytes()

    pulled = flair("pull", "--home", team.home, cwd=site.folder)

    assert pulled.code == 5
    assert "signature" in pulled.err
    assert f"stays at {good.short}" in pulled.err
    assert site.head().commit == good
    assert site.weights_path.read_bytes() == before
    status = flair("status", "--json", "--home", team.home, cwd=site.folder).result
    assert status["chain"]["n_behind"] == 1
    assert flair("fsck", "--home", team.home, cwd=site.folder).code == 0
    for ctx in (team.owner, *(ctx for ctx, _ in team.sites)):
        ctx.chain.close()
