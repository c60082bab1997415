"""`flair push` again: after its round, under a policy that reveals late, planned."""

from dataclasses import replace

import numpy as np
import pytest
import safetensors.numpy

from flair_client.audit import read_audit
from flair_client.cli.app import run
from flair_client.errors import (
    ApprovalMissing,
    StaleBase,
    StoreFull,
    WalletError,
    WorkspaceError,
)
from flair_client.history.graph import read_commit
from flair_client.ids import CODEC_RAW
from flair_client.porcelain.commit import commit
from flair_client.porcelain.policy import policy_list, policy_make, policy_use
from flair_client.porcelain.pull import pull
from flair_client.porcelain.push import push
from flair_client.porcelain.pushed import PushOutcome, public_url
from flair_client.porcelain.target import find_repo
from flair_client.porcelain.trust import trust
from flair_client.porcelain.update import RejectReason, update_reject, update_withdraw
from flair_client.porcelain.verify import verify
from flair_client.site_rules import SiteRules


def shifted(workspace, by):
    """A file of HEAD's weights, each larger by a step."""
    tensors = safetensors.numpy.load_file(workspace.weights_path)
    moved = {name: one + np.float32(by) for name, one in tensors.items()}
    path = workspace.folder / "new.safetensors"
    safetensors.numpy.save_file(moved, path)
    return path


def pushed_by(team, number, step=0.25):
    """A site commits and pushes; gives the marker that the push cleared."""
    site, workspace = team.sites[number]
    pull(site, workspace)
    path = shifted(workspace, step)
    commit(site, workspace, message=f"add {step}", weights=path, num_samples=3)
    pending = workspace.marker("pending")
    assert push(site, workspace).sent
    return pending


def merged_round(team):
    """The second site fills the round, and it is merged."""
    pushed_by(team, 1)
    team.close_round()
    team.finish_round(team.good_merge())
    return team.head


def push_again(team, pending):
    """As if the first push was killed before it wrote down that it is done."""
    site, workspace = team.sites[0]
    workspace.set_marker("pending", pending)
    return push(site, workspace)


def test_after_its_merge_it_is_told_so(team):
    pending = pushed_by(team, 0)
    merge = merged_round(team)

    again = push_again(team, pending)

    assert (again.outcome, again.sent) == (PushOutcome.MERGED, False)
    assert again.merge == merge
    assert again.commit in read_commit(team.owner.remote, merge).parents
    assert team.sites[0][1].marker("pending") is None


def test_after_further_rounds_it_is_told_so(team):
    pending = pushed_by(team, 0)
    first = merged_round(team)
    team.run_round(0.5)

    again = push_again(team, pending)

    assert again.outcome is PushOutcome.MERGED
    assert again.merge == first != team.head


def test_after_its_round_ended_otherwise_it_is_told_so(team, flair):
    pending = pushed_by(team, 0)
    recipe = team.workspace.recipe_path
    recipe.write_text(recipe.read_text().replace("epochs = 20", "epochs = 7"))
    assert flair("commit", "--snapshot", "-m", "x").code == 0
    assert flair("push", "--yes").code == 0

    again = push_again(team, pending)

    assert (again.outcome, again.sent) == (PushOutcome.ENDED, False)


def test_a_rejected_update_is_told_so(team):
    pending = pushed_by(team, 0)
    site = team.sites[0][0].wallet.address
    update_reject(team.owner, team.repo, "main", site, RejectReason.OUTLIER)

    again = push_again(team, pending)

    assert (again.outcome, again.sent) == (PushOutcome.REJECTED, False)


def test_an_update_that_was_withdrawn_is_pushed_anew(team):
    pending = pushed_by(team, 0)
    update_withdraw(team.sites[0][0], team.repo, "main")

    again = push_again(team, pending)

    assert (again.outcome, again.sent) == (PushOutcome.ACCEPTED, True)


def test_with_nothing_new_it_tells_where_the_last_one_is(team):
    pushed_by(team, 0)
    site, workspace = team.sites[0]
    where = find_repo(site, team.repo).address
    before = site.chain.repo(where).event_seq

    again = push(site, workspace)

    assert (again.outcome, again.sent) == (PushOutcome.ACCEPTED, False)
    assert site.chain.repo(where).event_seq == before
    update_withdraw(site, team.repo, "main")
    with pytest.raises(WorkspaceError, match="nothing is committed"):
        push(site, workspace)


def test_an_update_that_never_came_through_is_stale(team):
    site, workspace = team.sites[0]
    path = shifted(workspace, 0.5)
    commit(site, workspace, message="late", weights=path, num_samples=3)
    pending = workspace.marker("pending")
    team.run_round(0.25)

    with pytest.raises(StaleBase, match="for round 1"):
        push_again(team, pending)
    assert workspace.marker("pending") is not None


class FullAfter:
    """A shared store that has room for a few blocks more."""

    def __init__(self, store, room):
        self._store = store
        self._room = room

    def __getattr__(self, name):
        return getattr(self._store, name)

    def put(self, codec, block):
        if not self._room:
            raise StoreFull("no room in the shared store")
        self._room -= 1
        return self._store.put(codec, block)


def test_a_store_that_is_full_loses_nothing(team):
    site, workspace = team.sites[0]
    path = shifted(workspace, 0.25)
    made = commit(site, workspace, message="x", weights=path, num_samples=3)

    # There are three blocks of a delta, the commit, and the events of two transactions.
    for room in range(4):
        full = replace(site, remote=FullAfter(site.remote, 0 if room == 0 else 1))
        with pytest.raises(StoreFull):
            push(full, workspace)
        assert not team.place.account.round_live
        assert workspace.marker("pending") is not None
    done = push(site, workspace)

    assert (done.outcome, done.commit) == (PushOutcome.ACCEPTED, made.commit)
    assert push_again(team, {**_pending_of(done), "nonce": "00" * 16}).sent is False


def _pending_of(done):
    return {"kind": "update", "commit": str(done.commit), "weight": done.weight}


def test_another_wallet_may_not_push_it(team):
    site, workspace = team.sites[0]
    other, _ = team.sites[1]
    path = workspace.weights_path
    commit(site, workspace, message="mine", weights=path, num_samples=3)

    with pytest.raises(WalletError, match="was signed by"):
        push(other, workspace)


def test_a_dry_run_lists_every_block_with_its_size_and_the_hosts(team):
    site, workspace = team.sites[0]
    before = set(site.remote)
    commit(
        site, workspace, message="x", weights=shifted(workspace, 0.25), num_samples=3
    )

    plan = push(site, workspace, dry_run=True)

    assert (plan.outcome, plan.sent, plan.n_blocks) == (PushOutcome.PLANNED, False, 0)
    assert set(site.remote) == before
    assert [(one.what, one.host) for one in plan.destinations] == [
        ("blocks", team.store_folder.as_uri()),
        ("transactions", team.net.url),
    ]
    assert {one.what for one in plan.blocks} == {
        "delta linear.bias",
        "delta linear.weight",
        "delta",
        "commit",
    }
    push(site, workspace)
    listed = {one.cid: one.size for one in plan.blocks}
    # What else is there now are the events of the two transactions.
    others = set(site.remote) - before - set(listed)
    assert [cid.codec for cid in others] == [CODEC_RAW] * 2
    for cid, size in listed.items():
        assert len(site.remote.get(cid)) == size


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("https://user:word@rpc.example:8443/v2/key?api=1", "https://rpc.example:8443"),
        ("http://127.0.0.1:8899", "http://127.0.0.1:8899"),
        ("https://rpc.example/secret", "https://rpc.example"),
        ("file:///srv/flair/blocks", "file:///srv/flair/blocks"),
    ],
)
def test_a_url_is_shown_without_its_secrets(url, shown):
    assert public_url(url) == shown


@pytest.fixture
def late(team):
    """A team whose policy reveals updates only after the round is closed."""
    params = policy_list(team.owner, team.repo).policies[0].params
    late_params = replace(params, reveal_after_close=1)
    made = policy_make(team.owner, team.repo, late_params)
    policy_use(team.owner, team.repo, "main", made.index)
    for ctx, workspace in team.sites:
        pull(ctx, workspace)
        trust(ctx, workspace, accept=True)
    return team


def test_values_come_only_after_the_close(late):
    for number, (site, workspace) in enumerate(late.sites):
        path = shifted(workspace, 0.25 + number)
        commit(site, workspace, message="x", weights=path, num_samples=3)
    first, second = (push(ctx, workspace) for ctx, workspace in late.sites)

    assert first.outcome is PushOutcome.HELD
    assert first.sent
    assert first.held_until == late.place.round(None).account.deadline
    for pushed in (first, second):
        assert not late.owner.remote.has(
            read_commit(late.owner.remote, pushed.commit).delta
        )
        held = [one for one in pushed.blocks if one.holds_values]
        assert held
        assert not any(late.owner.remote.has(one.cid) for one in held)

    # Again before the close: nothing new, nothing lost.
    again = push(*late.sites[0])
    assert (again.outcome, again.sent, again.n_blocks) == (PushOutcome.HELD, False, 0)

    late.close_round()
    for ctx, workspace in late.sites:
        revealed = push(ctx, workspace)
        assert (revealed.outcome, revealed.sent) == (PushOutcome.ACCEPTED, False)
        assert revealed.n_blocks == len([b for b in revealed.blocks if b.holds_values])
        once_more = push(ctx, workspace)
        assert (once_more.outcome, once_more.n_blocks) == (PushOutcome.ACCEPTED, 0)
    late.finish_round(late.good_merge())
    with pytest.raises(WorkspaceError, match="was pushed already"):
        push(*late.sites[0])
    assert verify(late.owner, late.repo).valid


def test_held_values_go_where_they_were_approved_for(late, tmp_path):
    for number, (site, workspace) in enumerate(late.sites):
        path = shifted(workspace, 0.25 + number)
        commit(site, workspace, message="x", weights=path, num_samples=3)
        push(site, workspace)
    late.close_round()
    site, workspace = late.sites[0]
    rules = SiteRules(second_approver=(late.owner.wallet.address,))
    here = replace(site, site=rules, home=tmp_path)
    profile = replace(site.network, store_url="file:///elsewhere")

    with pytest.raises(ApprovalMissing, match="another store"):
        push(replace(here, network=profile), workspace)
    revealed = push(here, workspace)

    assert revealed.n_blocks > 0
    kinds = [line.kind for line in read_audit(tmp_path).lines]
    assert kinds == ["refused", "push", "pushed"]


def test_held_values_of_a_round_that_ended_are_never_sent(late, flair):
    site, workspace = late.sites[0]
    path = shifted(workspace, 0.25)
    commit(site, workspace, message="x", weights=path, num_samples=3)
    held = push(site, workspace)
    recipe = late.workspace.recipe_path
    recipe.write_text(recipe.read_text().replace("epochs = 20", "epochs = 7"))
    assert flair("commit", "--snapshot", "-m", "x").code == 0
    assert flair("push", "--yes").code == 0

    again = push(site, workspace)

    assert (again.outcome, again.n_blocks) == (PushOutcome.ENDED, 0)
    assert not any(site.remote.has(b.cid) for b in held.blocks if b.holds_values)
    with pytest.raises(WorkspaceError, match="nothing is committed"):
        push(site, workspace)


def test_the_command_says_what_stays_here(late, monkeypatch, capsys):
    site, workspace = late.sites[0]
    path = shifted(workspace, 0.25)
    commit(site, workspace, message="x", weights=path, num_samples=3)
    monkeypatch.setenv("FLAIR_HOME", str(late.home))
    monkeypatch.chdir(workspace.folder)

    assert run(["push", "--dry-run", "--wallet", "site-0"]) == 0
    plan = capsys.readouterr()
    assert run(["push", "--wallet", "site-0"]) == 0
    done = capsys.readouterr()

    assert "held blocks stay here until the round is closed" in plan.out
    assert "run `flair push` again then" in done.out
