"""`flair push` of a merge of models on a real localnet: the branch moves to it."""

from dataclasses import replace

import numpy as np
import pytest
from test_merge_models import asked, tuned, values_of

from flair_client.audit import read_audit
from flair_client.chain.events import BranchMerged
from flair_client.encoding import encode_commit, sign_commit
from flair_client.errors import (
    ApprovalMissing,
    ProgramRefused,
    Refused,
    StaleBase,
)
from flair_client.history.graph import read_commit
from flair_client.ids import CODEC_DAG_CBOR, CommitId
from flair_client.objects import CommitKind
from flair_client.porcelain import push_move as module
from flair_client.porcelain.approval import approve_outbox
from flair_client.porcelain.checkout import blocks_of
from flair_client.porcelain.commit import PENDING
from flair_client.porcelain.fork import fork
from flair_client.porcelain.merge import MergeAsked, NamedModel, merge
from flair_client.porcelain.outbox import outbox
from flair_client.porcelain.pull import pull
from flair_client.porcelain.push import push
from flair_client.porcelain.pushed import PushOutcome
from flair_client.porcelain.reading import reading_there
from flair_client.porcelain.status import status
from flair_client.porcelain.verify import verify
from flair_client.site_rules import SiteRules


@pytest.fixture
def made(team):
    """A merge of two snapshots, signed and not pushed."""
    tuned(team, weight=1.0)
    tuned(team, weight=3.0)
    return merge(team.owner, team.workspace, asked(team, "linear", "HEAD~1")).commit


def test_the_branch_moves_to_the_merge_and_a_stranger_makes_it_again(team, flair, made):
    before = team.head

    said = flair("push")

    assert said.code == 0, said.err
    assert f"main is at {made.short}" in said.out
    assert team.head == made
    assert team.workspace.head().commit == made
    assert np.all(values_of(team, made) == 2.0)
    report = verify(team.owner, team.repo)
    assert report.valid
    last = report.branches[0].commits[-1]
    assert (last.kind, last.n_models, last.check) == (
        CommitKind.MERGE,
        2,
        "recomputed",
    )
    site, workspace = team.sites[0]
    assert pull(site, workspace).commit == made
    move = team.evidence().moves[-1]
    assert (move.old_head, move.merged) == (
        before,
        read_commit(team.owner.remote, made).parents[1:],
    )


def test_outbox_and_dry_run_list_it_and_send_nothing(team, flair, made):
    listed = outbox(team.owner, team.workspace)
    shown = flair("outbox")
    dry = flair("push", "--dry-run")

    (transaction,) = listed.transactions
    merged = read_commit(blocks_of(team.owner, team.workspace), made).parents[1:]
    assert transaction.instruction == "branch_merge"
    assert transaction.fields["new_head"] == str(made)
    assert transaction.fields["merged"].startswith(merged[0].raw.hex())
    assert [one.name for one in listed.events] == [BranchMerged.__name__]
    assert "branch_merge" in shown.out
    assert f"main would move to {made.short}" in dry.err
    assert "weights linear.weight" in dry.out
    assert not team.owner.remote.has(made.cid)
    assert status(team.owner, team.workspace).next_command == "flair push"


def test_models_of_other_stores_go_along(team, tmp_path, made):
    """The shared store may be a fork's no more: what is merged is sent as well."""
    push(team.owner, team.workspace)
    forked = fork(team.owner, team.repo, "mine", points_per_merge=1)
    tuned(team, weight=5.0)
    model = NamedModel("fork", reading_there(team.owner, forked.repo), None)
    merge(team.owner, team.workspace, MergeAsked("linear", [model]))

    named = {one.what for one in outbox(team.owner, team.workspace).blocks}
    pushed = push(team.owner, team.workspace)

    root = forked.root
    assert {f"model {root.short}", f"model {root.short} weights"} <= named
    assert pushed.outcome is PushOutcome.MOVED
    assert np.all(values_of(team, team.head) == 3.5)
    assert verify(team.owner, team.repo).valid


def test_a_merge_with_a_base_is_made_again_on_the_other_side(team):
    tuned(team, weight=1.0)
    tuned(team, weight=3.0)
    merge(
        team.owner,
        team.workspace,
        asked(team, "ties", "HEAD~1", "HEAD", params={"density": "1"}, base="HEAD~2"),
    )

    push(team.owner, team.workspace)

    assert verify(team.owner, team.repo).valid


def test_rounds_go_on_from_it_and_a_revert_takes_nothing_of_it(team, made):
    push(team.owner, team.workspace)

    after = team.run_round(0.25)

    assert team.head == after
    assert verify(team.owner, team.repo).valid


def test_a_round_in_progress_ends_only_when_told_so(team, flair, made):
    team.push_updates(0.25)

    refused = flair("push")
    pushed = flair("push", "--yes")

    assert refused.code == 2
    assert pushed.code == 0, pushed.err
    assert "ends without a merge" in pushed.out
    assert not team.place.account.round_live
    assert team.head == made
    assert verify(team.owner, team.repo).valid


def test_a_head_that_moved_is_told(team, flair, made):
    other = team.run_round(0.25)

    said = flair("push")

    assert said.code == 1
    assert f"the branch is at {other.short}" in said.err
    assert "the merge is made on" in said.err
    assert team.head == other
    assert team.workspace.marker(PENDING) is not None


def test_a_head_that_moves_while_blocks_are_sent_is_told(team, monkeypatch, made):
    sends = module.send_blocks
    moved = []

    def send_while_others_act(*arguments):
        moved.append(team.run_round(0.25))
        return sends(*arguments)

    monkeypatch.setattr(module, "send_blocks", send_while_others_act)

    with pytest.raises(StaleBase, match="the merge is made on") as caught:
        push(team.owner, team.workspace)

    assert isinstance(caught.value.__cause__, ProgramRefused)
    assert team.head == moved[0]
    assert verify(team.owner, team.repo).valid


@pytest.mark.parametrize("place", ["send_blocks", "write_pushed", "check_out"])
def test_cut_off_anywhere_it_goes_on(team, monkeypatch, made, place):
    def cut_off(*_args, **_more):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(module, place, cut_off)
        with pytest.raises(KeyboardInterrupt):
            push(team.owner, team.workspace)
    again = push(team.owner, team.workspace)

    assert again.outcome is PushOutcome.MOVED
    assert again.sent is (place == "send_blocks")
    assert (team.head, team.workspace.head().commit) == (made, made)
    assert team.workspace.marker(PENDING) is None
    assert verify(team.owner, team.repo).valid


def test_who_may_not_move_the_branch_pushes_none(team, made):
    """A site that signed such a commit all the same."""
    site, workspace = team.sites[0]
    pull(site, workspace)
    store = blocks_of(site, workspace)
    commit = read_commit(blocks_of(team.owner, team.workspace), made)
    for one in module.blocks_of_commit(blocks_of(team.owner, team.workspace), made):
        store.put(one.cid.codec, blocks_of(team.owner, team.workspace).get(one.cid))
    wallet = site.wallet
    forged = sign_commit(
        replace(commit, author=wallet.address), wallet.address, wallet.sign
    )
    cid = store.put(CODEC_DAG_CBOR, encode_commit(forged))
    workspace.set_marker(
        PENDING, {"kind": "merge", "commit": str(CommitId(cid.digest))}
    )

    with pytest.raises(Refused, match="is not the owner"):
        push(site, workspace)


def test_a_merge_with_other_weights_is_found_out_by_everybody(team, made):
    store = blocks_of(team.owner, team.workspace)
    commit = read_commit(store, made)
    wallet = team.owner.wallet
    wrong = sign_commit(
        replace(commit, weights=read_commit(store, team.head).weights),
        wallet.address,
        wallet.sign,
    )
    cid = store.put(CODEC_DAG_CBOR, encode_commit(wrong))
    head = CommitId(cid.digest)
    team.workspace.set_marker(PENDING, {"kind": "merge", "commit": str(head)})

    push(team.owner, team.workspace)

    assert team.head == head
    report = verify(team.owner, team.repo)
    assert not report.valid
    assert f"commit {head.short}" in report.fault
    site, workspace = team.sites[0]
    assert pull(site, workspace).commit != head


def test_a_second_person_sees_it_first_and_it_is_written_down(team, tmp_path, made):
    second = team.context("second")
    rules = SiteRules(second_approver=(second.wallet.address,))
    here = replace(team.owner, site=rules, home=tmp_path)

    with pytest.raises(ApprovalMissing, match="needs a second person's approval"):
        push(here, team.workspace)
    assert not team.owner.remote.has(made.cid)
    approve_outbox(replace(second, site=rules, home=tmp_path), team.workspace)
    pushed = push(here, team.workspace)
    second.chain.close()

    assert pushed.outcome is PushOutcome.MOVED
    lines = read_audit(tmp_path).lines
    assert [line.kind for line in lines] == ["refused", "approval", "push", "pushed"]
    ((name, _),) = lines[2].details["transactions"]
    assert name == "branch_merge"
