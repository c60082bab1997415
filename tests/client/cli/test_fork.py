"""`flair fork` on a localnet: another's head becomes one's own root."""

import json
from pathlib import Path

import pytest
from work_world import running_net

import flair_client
from flair_client.ids import Cid


@pytest.fixture(scope="module")
def net(tmp_path_factory):
    with running_net(tmp_path_factory.mktemp("net")) as made:
        yield made


@pytest.fixture(scope="module")
def owner(net):
    return net.person("owner")


@pytest.fixture(scope="module")
def heart(net, owner):
    flags = ("--open", "--min-updates", 3, "--norm-bound", 5)
    return net.publish(owner, "heart", *flags)


@pytest.fixture
def site(net, request):
    return net.person(request.node.name.split("[")[0].replace("_", "-"))


@pytest.fixture(scope="module")
def nobody(net):
    """Somebody without a repository."""
    return net.person("nobody")


def blocks(net):
    return {path.name for path in (net.folder / "store").rglob("*") if path.is_file()}


def test_a_fork_shares_blocks_and_tells_where_it_comes_from(net, site, heart):
    (upstream,) = site.json("log", heart)["commits"]
    before = blocks(net)

    made = site.json("fork", heart, "mine", "--max-updates", 8)

    assert made["upstream"] == f"{heart}@{upstream['commit']}"
    assert made["repo"].endswith("/mine")
    # Report, event list and commit, and what the chain's events are kept as.
    n_events = site.json("repo", "show", made["repo"])["event_seq"]
    assert len(blocks(net) - before) == 3 + n_events
    pushing, pushed = [
        one
        for one in site.json("outbox", "--audit", "show")["lines"]
        if "push" in one["kind"]
    ]
    listed = pushing["details"]["blocks"]
    assert [what for what, _, _ in listed] == ["report", "events", "commit"]
    digests = {Cid.parse(cid).digest.hex() for _, cid, _ in listed}
    assert digests <= {Path(name).stem for name in blocks(net) - before}
    assert pushing["details"]["commit"] == pushed["details"]["commit"] == made["root"]
    assert pushed["details"]["n_blocks"] == 3
    assert pushed["details"]["n_bytes"] == pushing["details"]["n_bytes"]
    (root,) = site.json("log", made["repo"])["commits"]
    assert root["commit"] == made["root"]
    assert root["message"] == f"fork of {made['upstream']}"
    assert site.json("verify", made["repo"])["valid"]
    policy = site.json("policy", "show", 0, "--repo", made["repo"])
    params = policy["params"]
    assert (params["min_updates"], params["max_updates"]) == (3, 8)
    assert policy["norm_bound"] == pytest.approx(5)
    branch = site.json("repo", "show", made["repo"])["branches"][0]
    assert branch["round_index"] == 0
    cloned = site.json("clone", made["repo"], "copy", "--trust")
    assert cloned["commit"] == made["root"]
    weights = flair_client.load(made["repo"], home=site.home)
    assert weights.keys() == flair_client.load(heart, home=site.home).keys()


def test_a_second_run_does_nothing(site, heart):
    first = site.json("fork", heart)

    again = site("fork", heart)
    named = site("fork", heart, "other", "--json")

    assert again.code == 0
    assert "forked already" in again.err
    assert again.out.strip() == first["repo"]
    assert json.loads(named.out)["result"]["root"] != first["root"]


def test_a_run_that_was_cut_off_goes_on(site, heart):
    site.json("repo", "create", "heart", "--bare")

    made = site.json("fork", heart)

    assert len(made["steps"]) == 3
    assert site.json("verify", made["repo"])["valid"]


def test_a_repository_of_something_else_is_kept(net, site, heart):
    mine = net.publish(site, "heart")

    ran = site("fork", heart)

    assert ran.code == 1
    assert f"there is a repository {mine} already, and it is no fork" in ran.err


def test_a_fork_of_ones_own_needs_another_name(owner, heart):
    same = owner("fork", heart)
    other = owner("fork", heart, "heart-2")

    assert same.code == 2
    assert "would be a fork of itself" in same.err
    assert other.code == 0


@pytest.mark.parametrize(
    ("words", "code", "sentence"),
    [
        (("{heart}-none",), 1, "there is no repo"),
        (("{heart}@other",), 1, "'other'"),
        (("{heart}@main~1",), 1, "goes beyond the root"),
        (("{heart}@" + "0" * 64,), 1, "is no valid commit"),
        (("flair://nowhere/x/y",), 2, "not a valid"),
        (("{heart}", "Bad Name"), 2, "not a valid"),
        (("{heart}", "m", "--min-updates", "99"), 2, "policy.min_updates"),
    ],
)
def test_what_cannot_be_forked(nobody, heart, words, code, sentence):
    ran = nobody("fork", *(word.format(heart=heart) for word in words))

    assert ran.code == code, ran.err
    assert sentence in ran.err
    address = nobody.json("wallet", "address")["address"]
    assert not nobody.json("repo", "list", "--creator", address)["repos"]
