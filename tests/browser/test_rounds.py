"""Every action on a round in a real browser, and what two people do at once."""

import pytest
import safetensors.numpy
from aggregator_place import aggregator, make_update

from flair_client.chain.accounts import RoundState, Scope, UpdateStatus
from flair_client.history.verify import verify_branch
from flair_client.ids import Address
from flair_client.porcelain.checkout import blocks_of
from flair_client.porcelain.role import role_grant
from flair_client.porcelain.snapshot import commit_snapshot
from flair_client.porcelain.transfer import blocks_of_commit, send_blocks


@pytest.fixture
def chain(world):
    return world.place.chains[0]


def named(model):
    return {"repo": f"{model.address.creator}/{model.address.name}", "branch": "main"}


def pushed(model, *names):
    for number, name in enumerate(names):
        model.push_by_hand(name, 2 + number)


def contributor(world, name):
    return str(world.place.context(name).wallet.address)


def test_a_round_is_opened_and_aborted(world, people):
    model = world.model("opens", round_length="1h")
    nurse = people("nurse").sign_in()

    shown = nurse.act("round_open", round=1, **named(model))
    assert model.live().state is RoundState.OPEN
    too_early = nurse.refused("round_abort", round=1, **named(model))
    world.place.wait(3601)
    nurse.act("round_abort", round=1, **named(model))

    assert "takes updates for 1 hours" in shown
    assert "the round can still be finished" in too_early
    assert not model.account().round_live


def test_an_update_is_pushed_and_withdrawn(world, people):
    model = world.model("pushes", deposit_lamports=1_000_000)
    nurse = people("nurse").sign_in()
    model.open_round()
    made = make_update(model, world.place.context("nurse"), 3, 1)

    shown = nurse.act(
        "push", {"weight": 2}, commit=made["commit_id"], repo=named(model)["repo"]
    )
    (update,) = model.updates()
    assert (update.commit_id, update.weight) == (made["commit_id"], 2)
    nurse.act("update_withdraw", round=1, **named(model))

    assert model.updates() == []
    assert "0.001 SOL, paid back when it is withdrawn or settled" in shown


def test_a_snapshot_whose_blocks_are_there_is_pushed(world, people):
    model = world.model("snapshots")
    place = model.hospital("owner")
    tensors = safetensors.numpy.load_file(place.workspace.weights_path)
    tuned = place.workspace.folder.parent / "tuned.safetensors"
    safetensors.numpy.save_file(
        {k: v + v.dtype.type(1) for k, v in tensors.items()}, tuned
    )
    made = commit_snapshot(place.ctx, place.workspace, message="tuned", weights=tuned)
    store = blocks_of(place.ctx, place.workspace)
    before = str(model.account().head_commit)
    owner = people("owner").sign_in()

    missing = owner.refused("push", commit=made.commit, repo=named(model)["repo"])
    send_blocks(place.ctx, store, list(blocks_of_commit(store, made.commit)))
    shown = owner.act("push", commit=made.commit, repo=named(model)["repo"])

    assert "Send the blocks first" in missing
    assert before in shown
    assert str(made.commit) in shown
    found = verify_branch(model.owner.chain, model.owner.remote, model.repo, "main")
    assert found.commits[-1].commit_id == made.commit


def test_an_update_whose_blocks_are_missing_is_not_pushed(world, people):
    model = world.model("missing")
    nurse = people("nurse").sign_in()

    told = nurse.refused("push", commit="ab" * 32, repo=named(model)["repo"])

    assert "Send the blocks first" in told


def test_an_update_is_rejected(world, people):
    model = world.model("rejects")
    pushed(model, "nurse")
    owner = people("owner").sign_in()

    owner.act(
        "update_reject",
        {"reason": "outlier"},
        round=1,
        contributor=contributor(world, "nurse"),
        **named(model),
    )

    (update,) = model.updates()
    assert update.status is UpdateStatus.REJECTED
    assert update.reject_reason == 9


def test_a_round_goes_from_open_to_settled_and_back(world, people):
    """Closed, approved, attested, finalised, settled, reverted: each by a wallet."""
    model = world.model("votes", max_updates=2, approvals=1, attestations=1)
    auditor = world.place.context("auditor").wallet.address
    role_grant(model.owner, model.address, auditor, Scope.ATTEST)
    pushed(model, "nurse", "heir")
    before = str(model.account().head_commit)
    owner, other = people("owner").sign_in(), people("auditor").sign_in()

    other.act("round_close", round=1, **named(model))
    aggregator(model, "owner", "bot-browser").once()
    (candidate,) = model.owner.chain.branch_candidates(model.branch)
    commit = str(candidate.commit_id)
    early = other.refused("round_finalize", round=1, commit=commit, **named(model))
    owner.act("approve", round=1, commit=commit, **named(model))
    other.act("attest", round=1, commit=commit, **named(model))
    shown = other.act("round_finalize", round=1, commit=commit, **named(model))
    assert str(model.account().head_commit) == commit
    other.act(
        "update_settle",
        round=1,
        contributor=contributor(world, "nurse"),
        **named(model),
    )
    reverted = owner.revert(head=commit, commit=commit, **named(model))

    assert "the authority has not approved the candidate" in early
    assert "The owner has to approve the merge." in early
    assert before in shown
    assert commit in reverted
    found = verify_branch(model.owner.chain, model.owner.remote, model.repo, "main")
    assert found.commits[-1].commit_id == model.account().head_commit
    assert str(found.commits[-1].commit_id) != commit


def test_an_owner_rejects_while_a_contributor_withdraws(world, people):
    """Two at once: whoever is second is told by the program, and loses nothing."""
    model = world.model("at-once")
    pushed(model, "nurse")
    owner, nurse = people("owner").sign_in(), people("nurse").sign_in()
    who = contributor(world, "nurse")
    owner.open("update_reject", round=1, contributor=who, **named(model))
    nurse.open("update_withdraw", round=1, **named(model))
    owner.plan()
    nurse.plan()

    nurse.sign()
    nurse.expect("Final: it cannot be undone.")
    owner.sign()
    owner.expect("an account that it needs is not there (any more)")

    assert model.updates() == []
    assert owner.dialog.inner_text().count("Final") == 0


def test_an_owner_approves_while_a_contributor_withdraws(world, people):
    """The contributor comes too late: the round is closed, and both are told so."""
    model = world.model("late", max_updates=2, approvals=1)
    pushed(model, "nurse", "heir")
    owner, nurse = people("owner").sign_in(), people("nurse").sign_in()
    nurse.open("update_withdraw", round=1, **named(model))
    nurse.plan()
    aggregator(model, "owner", "bot-late").once()
    (candidate,) = model.owner.chain.branch_candidates(model.branch)
    owner.open("approve", round=1, commit=str(candidate.commit_id), **named(model))
    owner.plan()

    owner.sign()
    nurse.sign()
    owner.expect("Final: it cannot be undone.")
    nurse.expect("the round takes no more updates")

    assert len(model.updates()) == 2
    assert Address.parse(nurse.address) in {one.contributor for one in model.updates()}
