"""From an empty folder to a pushed update, against a real localnet."""

import dataclasses
import functools
from pathlib import Path

import pytest
import safetensors.numpy

from flair_client.chain.client import ChainClient
from flair_client.chain.pdas import PROGRAM_ID
from flair_client.chain.rpc import Rpc
from flair_client.chain.signer import create_wallet
from flair_client.context import Context
from flair_client.errors import (
    AlreadyPushed,
    ApprovalMissing,
    NotFinite,
    RefUnknown,
    TensorMismatch,
    TrustRequired,
)
from flair_client.localnet import start_localnet
from flair_client.porcelain.clone import clone
from flair_client.porcelain.commit import bucket, commit
from flair_client.porcelain.init import columns_from_csv, init
from flair_client.porcelain.publish import describe_root, publish_root
from flair_client.porcelain.pull import pull
from flair_client.porcelain.push import push
from flair_client.porcelain.refs import resolve
from flair_client.porcelain.repo_publish import repo_publish
from flair_client.porcelain.trust import trust
from flair_client.settings import NetworkProfile
from flair_client.site_rules import SiteRules
from flair_client.store.base import open_store
from flair_client.workspace import find_workspace

ROWS = "a,b,target\n" + "\n".join(f"{n},{n * 2 % 7},{n % 2}" for n in range(40))


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A localnet, a store, and contexts of two wallets with a published model."""
    folder = tmp_path_factory.mktemp("place")
    with start_localnet(folder / "net") as net:
        profile = NetworkProfile(
            "localnet",
            net.url,
            net.genesis_hash,
            PROGRAM_ID,
            (folder / "store").as_uri(),
        )

        def context(name: str) -> Context:
            wallet = create_wallet(folder / f"{name}.json")
            chain = ChainClient(Rpc(net.url, genesis_hash=net.genesis_hash))
            chain.wait_for(chain.rpc.request_airdrop(wallet.address, 10**10))
            return Context(profile, chain, open_store(profile.store_url), wallet)

        owner = context("owner")
        (folder / "rows.csv").write_text(ROWS)
        model = folder / "model"
        init(model, columns=columns_from_csv(folder / "rows.csv", "target"))
        published = repo_publish(
            owner,
            "heart",
            describe_root(model),
            functools.partial(publish_root, owner, model),
            points_per_merge=10,
            policy={"contribute": "open", "min_updates": 1},
        )
        yield context, published, folder
        owner.chain.close()


@pytest.fixture
def cloned(place, request, tmp_path):
    context, published, _ = place
    ctx = context(request.node.name.replace("[", "-").replace("]", ""))
    clone(ctx, published.repo, tmp_path / "clone", trust=True)
    yield ctx, find_workspace(tmp_path / "clone"), tmp_path
    ctx.chain.close()


def changed(workspace, folder: Path, change) -> Path:
    tensors = safetensors.numpy.load_file(workspace.weights_path)
    change(tensors)
    safetensors.numpy.save_file(tensors, folder / "new.safetensors")
    return folder / "new.safetensors"


def add_quarter(tensors) -> None:
    for name in tensors:
        tensors[name] = tensors[name] + tensors[name].dtype.type(0.25)


def test_clone_has_the_published_weights_byte_for_byte(place, cloned):
    _, published, folder = place
    _, workspace, _ = cloned
    model = folder / "model" / "weights.safetensors"
    assert workspace.weights_path.read_bytes() == model.read_bytes()
    assert workspace.head().commit == published.root


def test_update_is_pushed_once(cloned):
    ctx, workspace, folder = cloned
    path = changed(workspace, folder, add_quarter)
    made = commit(ctx, workspace, message="one", weights=path, num_samples=40)
    assert made.weight == 32
    assert not push(ctx, workspace, dry_run=True).sent
    assert push(ctx, workspace).sent
    assert not push(ctx, workspace).sent
    commit(ctx, workspace, message="two", weights=path, num_samples=40)
    with pytest.raises(AlreadyPushed):
        push(ctx, workspace)


def test_nothing_is_pushed_where_the_site_wants_a_second_approval(cloned):
    ctx, workspace, folder = cloned
    path = changed(workspace, folder, add_quarter)
    commit(ctx, workspace, message="one", weights=path, num_samples=40)
    strict = dataclasses.replace(
        ctx, site=SiteRules(second_approver=(ctx.wallet.address,))
    )
    with pytest.raises(ApprovalMissing, match="second person's approval"):
        push(strict, workspace)
    assert not push(strict, workspace, dry_run=True).sent
    # Nothing had left: without the rule this is the first push.
    assert push(ctx, workspace).sent


def test_push_goes_on_after_the_chain_took_it(cloned):
    ctx, workspace, folder = cloned
    path = changed(workspace, folder, add_quarter)
    commit(ctx, workspace, message="one", weights=path, num_samples=40)
    pending = workspace.marker("pending")
    push(ctx, workspace)
    # As if the process was killed before it could write down that it is done.
    workspace.set_marker("pending", pending)
    again = push(ctx, workspace)
    assert not again.sent
    assert workspace.marker("pending") is None


def test_commit_of_another_shape_names_the_tensor_and_both(cloned):
    ctx, workspace, folder = cloned

    def cut(tensors) -> None:
        tensors["linear.weight"] = tensors["linear.weight"][:1].copy()

    path = changed(workspace, folder, cut)
    with pytest.raises(TensorMismatch, match=r"linear\.weight.*\[2\].*\[1\]"):
        commit(ctx, workspace, message="x", weights=path, num_samples=1)


def test_commit_of_nan_names_the_tensor_and_how_many(cloned):
    ctx, workspace, folder = cloned

    def spoil(tensors) -> None:
        tensors["statistics.mean"][0] = float("nan")

    path = changed(workspace, folder, spoil)
    with pytest.raises(NotFinite, match=r"statistics\.mean.*1 values"):
        commit(ctx, workspace, message="x", weights=path, num_samples=1)


def test_commit_without_trust(place, tmp_path):
    context, published, _ = place
    ctx = context("stranger")
    clone(ctx, published.repo, tmp_path / "clone")
    workspace = find_workspace(tmp_path / "clone")
    path = changed(workspace, tmp_path, add_quarter)
    with pytest.raises(TrustRequired, match="not accepted yet"):
        commit(ctx, workspace, message="x", weights=path, num_samples=1)
    shown = trust(ctx, workspace, accept=True)
    assert shown.first
    commit(ctx, workspace, message="x", weights=path, num_samples=1)
    ctx.chain.close()


def test_pull_with_nothing_new(cloned):
    ctx, workspace, _ = cloned
    head = workspace.head().commit
    found = pull(ctx, workspace)
    assert (found.before, found.commit, found.n_verified) == (head, head, 0)
    assert found.fault is None


def test_names_of_commits(cloned):
    _, workspace, _ = cloned
    head = workspace.head().commit
    for text in (None, "HEAD", "main", str(head), str(head)[:6]):
        assert resolve(workspace, workspace.cache(), text) == head
    for text in ("HEAD~1", "0" * 6, "other", "abc"):
        with pytest.raises(RefUnknown):
            resolve(workspace, workspace.cache(), text)


@pytest.mark.parametrize(
    ("samples", "expected"), [(0, 1), (1, 1), (2, 2), (3, 2), (40, 32), (1024, 1024)]
)
def test_bucket(samples, expected):
    assert bucket(samples) == expected
