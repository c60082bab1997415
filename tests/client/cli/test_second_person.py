"""A second person's yes holds for what they saw, and for nothing else."""

import functools
import json

import pytest
from work_world import ROWS, running_net, shifted

from flair_client.audit import AUDIT_FILE
from flair_client.cli import session
from flair_client.porcelain import push as push_verb
from flair_client.settings import load_settings


@pytest.fixture(scope="module")
def net(tmp_path_factory):
    with running_net(tmp_path_factory.mktemp("net")) as made:
        yield made


@pytest.fixture(scope="module")
def owner(net):
    return net.person("owner")


@pytest.fixture
def rules(monkeypatch, tmp_path):
    """Writes the site's file, and has the command read it from there."""
    folder = tmp_path / "etc"
    folder.mkdir()
    monkeypatch.setattr(
        session, "load_settings", functools.partial(load_settings, system_folder=folder)
    )

    def write(text):
        (folder / "site.toml").write_text(f"[limits]\n{text}\n")

    return write


@pytest.fixture
def approved(net, owner, rules, request):
    """A model, and a site with a commit for it that its second person approved."""
    name = "".join(c if c.isalnum() else "-" for c in request.node.name.lower())[-40:]
    site = net.person(name)
    address = net.publish(owner, f"r{name}", "--open", "--min-updates", 2)
    folder = committed(site, address)
    assert site("wallet", "new", "second").code == 0
    second = site.json("wallet", "show", "second")["address"]
    rules(f"second_approver = ['{second}']")
    approve(site, folder)
    return site, folder, address


def committed(person, address):
    person.json("clone", address, "clone", "--trust")
    folder = person.folder / "clone"
    new = person.folder / "new.safetensors"
    shifted(folder / "weights.safetensors", new)
    words = ("commit", "-m", "one", "--weights", new, "--num-samples", 40)
    person.json(*words, cwd=folder)
    return folder


def approve(site, folder):
    return site.json("outbox", "--approve", "--wallet", "second", cwd=folder)


def test_a_round_that_another_opened_meanwhile_changes_nothing(net, approved, rules):
    site, folder, address = approved
    listed = site.json("outbox", cwd=folder)
    assert [one["instruction"] for one in listed["transactions"]] == [
        "round_open",
        "update_push",
    ]
    rules("")
    other = net.person("faster")
    other.json("push", cwd=committed(other, address))
    rules(f"second_approver = ['{site.json('wallet', 'show', 'second')['address']}']")

    now = site.json("outbox", cwd=folder)

    assert [one["instruction"] for one in now["transactions"]] == ["update_push"]
    assert now["digest"] == listed["digest"]
    assert site.json("push", cwd=folder)["sent"]


@pytest.mark.parametrize(
    ("setting", "value"),
    [
        ("network.localnet.url", "{url}/?tenant=2"),
        ("workspace.store", "{store}-2"),
        ("network.localnet.genesis_hash", "1" * 32),
    ],
)
def test_another_destination_voids_an_approval(net, approved, setting, value):
    site, folder, _ = approved
    there = value.format(url=net.url, store=net.store)
    assert site("config", "set", "--local", setting, there, cwd=folder).code == 0

    ran = site("push", cwd=folder)

    assert ran.code != 0
    assert "cluster" in ran.err or (
        "signed over something else than what would leave now" in ran.err
    )


def test_what_the_chain_is_asked_for_may_not_change_after_the_yes(
    net, owner, approved, monkeypatch
):
    site, folder, address = approved
    mine = site.json("wallet", "show")["address"]
    send = push_verb.send_blocks

    def slow(*arguments):
        sent = send(*arguments)
        # A role of its own is named in the transaction, from now on.
        owner.json("role", "grant", mine, "contribute", "--repo", address)
        return sent

    with monkeypatch.context() as patch:
        patch.setattr(push_verb, "send_blocks", slow)
        ran = site("push", cwd=folder)
    assert ran.code == 1
    assert "is not what was listed" in ran.err

    again = site("push", cwd=folder)
    assert "signed over something else" in again.err
    approve(site, folder)
    assert site.json("push", cwd=folder)["sent"]


NOBODY = "SysvarC1ock11111111111111111111111111111111"


def audited(person):
    lines = (person.home / AUDIT_FILE).read_text().splitlines()
    return [json.loads(line) for line in lines]


def test_a_first_model_that_nobody_could_approve_is_not_published(net, owner, rules):
    heart = net.publish(owner, "heart")
    site = net.person("publisher")
    (site.folder / "rows.csv").write_text(ROWS)
    site.json("init", "mine", "--columns-from", "rows.csv")
    rules(f"second_approver = ['{NOBODY}']")

    created = site("repo", "create", "mine", cwd=site.folder / "mine")
    forked = site("fork", heart, "theirs")

    for ran in (created, forked):
        assert ran.code == 1
        assert "limits.second_approver" in ran.err
        assert "first model" in ran.err
    assert site.json("repo", "list", "--creator", NOBODY)["repos"] == []
    mine = site.json("wallet", "show")["address"]
    assert site.json("repo", "list", "--creator", mine)["repos"] == []
    assert [line["details"]["verb"] for line in audited(site)] == ["publish"] * 2
    # A repository without a model sends no values.
    assert site("repo", "create", "empty", "--bare").code == 0


def test_what_is_published_and_asked_of_others_is_written_down(net, owner):
    heart = net.publish(owner, "logged")
    site = net.person("writer")
    link = owner.json("invite", "create", "--repo", heart, "--expires", "30d")

    site.json("fork", heart, "mine")
    site.json("join", link["link"], "clone")
    site.json("join", heart, "--request", "--scope", "merge", "--note", "Ulm")

    told = [(one["kind"], one["details"]) for one in audited(owner)][-3:]
    assert [kind for kind, _ in told] == ["push", "pushed", "member"]
    root = owner.json("log", heart)["commits"][-1]["commit"]
    (_, push), (_, pushed), (_, invite) = told
    assert push["commit"] == pushed["commit"] == root
    assert push["blocks"][-1][0] == "commit"
    assert push["n_bytes"] == sum(size for _, _, size in push["blocks"])
    assert (invite["verb"], invite["invite"]) == ("invite", link["key"])
    # The secret of the link is in no file.
    assert link["link"].partition("#")[2] not in (owner.home / AUDIT_FILE).read_text()
    kinds = [(one["kind"], one["details"].get("verb")) for one in audited(site)]
    assert kinds == [
        ("push", None),
        ("pushed", None),
        ("member", "join"),
        ("member", "request"),
    ]
    assert audited(site)[-1]["details"]["note"] == "Ulm"


def test_a_snapshot_is_written_down_before_and_after(net, owner):
    address = net.publish(owner, "moved")
    folder = owner.folder / "moved"
    new = shifted(folder / "weights.safetensors", owner.folder / "snap.safetensors")
    words = ("commit", "--snapshot", "-m", "x", "--weights", new)
    made = owner.json(*words, cwd=folder)
    n_before = len(audited(owner))

    owner.json("push", "--yes", cwd=folder)

    assert owner.json("log", address)["commits"][0]["commit"] == made["commit"]
    lines = audited(owner)[n_before:]
    assert [(one["kind"], one["details"]["commit"]) for one in lines] == [
        ("push", made["commit"]),
        ("pushed", made["commit"]),
    ]
