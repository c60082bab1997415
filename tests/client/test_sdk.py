"""The package from a program: what docs/sdk.md shows, and what is refused."""

import json
import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import flair_client
from flair_client.errors import (
    AccountMissing,
    IdentifierInvalid,
    NetworkUnknown,
    NotAWorkspace,
    RefUnknown,
    TensorMismatch,
    TrustRequired,
    UsageError,
    VerificationError,
    WorkspaceError,
)
from flair_client.repo_address import RepoAddress

sys.path.insert(0, str(Path(__file__).parent / "cli"))

from work_world import running_net, shifted

DOCS = Path(__file__).parents[2] / "docs" / "sdk.md"
PLACEHOLDER = "flair://localnet/9xQe…VkjF/heart"


@pytest.fixture(scope="module")
def net(tmp_path_factory):
    with running_net(tmp_path_factory.mktemp("net")) as made:
        yield made


@pytest.fixture(scope="module")
def owner(net):
    return net.person("owner")


@pytest.fixture(scope="module")
def heart(net, owner):
    """Address of a published model without statistics."""
    (owner.folder / "rows.csv").write_text("a,b,target\n1,2,0\n2,1,1\n3,0,1\n")
    words = ("init", "heart", "--columns-from", "rows.csv", "--no-statistics")
    owner.json(*words)
    flags = ("--open", "--min-updates", 1)
    folder = owner.folder / "heart"
    return owner.json("repo", "create", "heart", *flags, cwd=folder)["repo"]


@pytest.fixture
def site(net, request, monkeypatch):
    """A person whose home and folder this process works in."""
    name = re.sub(r"[^a-z0-9]+", "-", request.node.name.lower()).strip("-")
    made = net.person(name)
    for variable in ("FLAIR_NETWORK", "FLAIR_WALLET"):
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setenv("FLAIR_HOME", str(made.home))
    monkeypatch.chdir(made.folder)
    return made


@pytest.fixture
def clone(site, heart):
    """An open clone in the folder `heart`, trusted."""
    with flair_client.open_repo(heart) as repo:
        yield repo.clone("heart", trust=True)


def test_importing_the_package_imports_nothing_else():
    code = (
        "import sys; before = set(sys.modules); import flair_client; import json; "
        "print(json.dumps(sorted(set(sys.modules) - before)))"
    )

    told = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )

    loaded = {name.partition(".")[0] for name in json.loads(told.stdout)}
    assert loaded <= {"flair_client", "json", "typing", "re", "enum", "collections"} | (
        set(sys.stdlib_module_names)
    )


def test_public_names_are_there():
    for name in flair_client.__all__:
        assert getattr(flair_client, name).__doc__
    with pytest.raises(AttributeError, match="has no attribute 'push'"):
        flair_client.push  # noqa: B018


def test_the_examples_of_the_documentation_run(site, heart, capsys):
    blocks = re.findall(r"```python\n(.*?)```", DOCS.read_text(), re.DOTALL)
    names: dict = {}

    for block in blocks:
        if "with PyTorch" in block and not has_torch():
            continue
        exec(block.replace(PLACEHOLDER, heart), names)  # noqa: S102 - our own page

    said = capsys.readouterr().out
    assert len(blocks) == 6
    assert "linear.weight float32 (2,)" in said
    assert "True\n" in said
    assert "delta linear.weight" in said
    assert "accepted" in said
    assert "was opened without a clone" in said


def has_torch():
    import importlib.util

    return importlib.util.find_spec("torch") is not None


def test_weights_by_address_are_those_that_were_published(site, heart, owner):
    weights = flair_client.load(heart)
    with flair_client.open_repo(heart) as repo:
        head = repo.heads()["main"]

    assert sorted(weights) == ["linear.bias", "linear.weight"]
    assert not weights["linear.weight"].any()
    for ref in ("main", "HEAD", str(head), str(head)[:8]):
        again = flair_client.load(f"{heart}@{ref}")
        assert again.keys() == weights.keys()
    assert flair_client.load(RepoAddress.parse(heart)).keys() == weights.keys()
    creator = heart.removeprefix("flair://localnet/")
    assert flair_client.load(creator).keys() == weights.keys()


@pytest.mark.parametrize(
    ("change", "error"),
    [
        ("{address}@other", RefUnknown),
        ("{address}@main~1", RefUnknown),
        ("{address}@{zeros}", RefUnknown),
        ("{address}-none", AccountMissing),
        ("flair://nowhere/{rest}", NetworkUnknown),
        ("flair://localnet/nobody/heart", IdentifierInvalid),
        ("flair://localnet", IdentifierInvalid),
    ],
)
def test_addresses_of_nothing(site, heart, change, error):
    rest = heart.removeprefix("flair://localnet/")
    text = change.format(address=heart, rest=rest, zeros="0" * 64)

    with pytest.raises(error):
        flair_client.load(text)


def test_an_unknown_framework(site, heart):
    with pytest.raises(UsageError, match="'jax' is neither numpy nor pt"):
        flair_client.load(heart, framework="jax")


def test_a_clone_loads_commits_that_it_verified(clone):
    assert clone.load().keys() == clone.load("HEAD").keys()
    marker = clone.workspace.state_folder / "state" / "verified.toml"
    marker.unlink()

    with pytest.raises(VerificationError, match="was not verified on this machine"):
        clone.load()


def test_updates_of_every_form(clone, owner):
    base = clone.load()
    more = {name: array + np.float32(0.25) for name, array in base.items()}
    file = shifted(clone.workspace.weights_path, clone.workspace.folder / "new.st")
    np.savez(clone.workspace.folder / "new.npz", **more)

    made = [
        clone.commit(one, message="x", num_samples=8)
        for one in (more, file, str(clone.workspace.folder / "new.npz"))
    ]

    # The same difference each time: two tensors, nothing lost.
    assert [(one.n_tensors, one.zero_share) for one in made] == [(2, 0.0)] * 3
    assert made[0].weight == 8


def test_a_module_of_pytorch(clone):
    torch = pytest.importorskip("torch", reason="PyTorch is an extra: flair-hub[torch]")

    class Heart(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.linear = torch.nn.ParameterDict(
                {"weight": torch.zeros(2), "bias": torch.zeros(1)}
            )

    model = Heart()
    model.load_state_dict(clone.load(framework="pt"), strict=True)
    with torch.no_grad():
        model.linear["weight"].add_(0.5)

    assert clone.commit(model, message="x", num_samples=8).n_tensors == 1
    changed = {name: one + 1 for name, one in model.state_dict().items()}
    assert clone.commit(changed, message="x", num_samples=8).n_tensors == 2


@pytest.mark.parametrize(
    ("weights", "error", "sentence"),
    [
        ({"linear.weight": np.zeros(2, np.float32)}, TensorMismatch, "linear.bias"),
        (3, UsageError, "int holds no weights"),
        ("nowhere.npz", UsageError, "No such file"),
    ],
)
def test_updates_that_cannot_be(clone, weights, error, sentence):
    with pytest.raises(error, match=sentence):
        clone.commit(weights, message="x", num_samples=8)


def test_nothing_is_committed_without_trust(site, heart):
    with flair_client.open_repo(heart) as repo:
        clone = repo.clone("heart")

        with pytest.raises(TrustRequired):
            clone.commit(clone.load(), message="x", num_samples=8)
        assert clone.trust().first
        with pytest.raises(WorkspaceError, match="nothing is committed"):
            clone.push()


def test_what_needs_a_clone(site, heart, tmp_path):
    with flair_client.open_repo(heart) as repo:
        for call in (
            repo.pull,
            repo.push,
            repo.trust,
            lambda: repo.commit({}, message="x", num_samples=1),
        ):
            with pytest.raises(NotAWorkspace, match="was opened without a clone"):
                call()
    with pytest.raises(NotAWorkspace, match="there is no workspace"):
        flair_client.open_repo(tmp_path)


def test_a_repository_of_ones_own_by_its_name(net, owner, heart, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)

    with flair_client.open_repo("heart", home=owner.home) as repo:
        assert str(repo.address) == heart


def test_a_wrong_head_is_not_loaded(site, heart, monkeypatch):
    from flair_client import sdk

    right = sdk.last_valid_head

    def with_fault(*arguments, **named):
        found = right(*arguments, **named)
        return replace(found, fault=VerificationError("commit abc", "is wrong"))

    monkeypatch.setattr(sdk, "last_valid_head", with_fault)
    with flair_client.open_repo(heart) as repo:
        head = repo.heads()["main"]

    for ref in ("", "@main", "@HEAD", "@main~0"):
        with pytest.raises(VerificationError, match="is wrong"):
            flair_client.load(f"{heart}{ref}")
    # A commit that checks can still be had by its id.
    assert flair_client.load(f"{heart}@{head}")
