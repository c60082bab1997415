"""`flair verify` on a real localnet: what is right, and the first thing that is not."""

import pytest

from flair_client.errors import ClusterMismatch
from flair_client.history.graph import read_commit
from flair_client.porcelain.verify import verify


def test_a_stranger_verifies_everything_from_the_address_alone(team, flair, tmp_path):
    merge = team.run_round(0.25, 0.5)
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()

    said = flair("verify", team.repo, cwd=elsewhere)
    line = flair("verify", team.repo, "--json", cwd=elsewhere).line

    assert said.code == 0, said.err
    assert f"{team.root.short}  root: signed by its owner, complete" in said.out
    assert f"{merge.short}  merge: recomputed, 2 updates" in said.out
    assert team.net.genesis_hash in said.out
    assert all(len(row) <= 80 for row in said.out.splitlines() if row[:2] == "ok")
    assert line["result"]["valid"]
    assert line["result"]["branches"][0]["valid_head"] == str(merge)
    assert [one["check"] for one in line["result"]["branches"][0]["commits"]] == [
        "signed by its owner, complete",
        "recomputed",
    ]


def test_since_looks_only_at_what_follows(team, flair):
    merge = team.run_round(0.25)

    for since in (team.root, team.root.short, "main~1"):
        found = flair("verify", "--since", since, "--json").result["branches"][0]
        assert found["since"] == str(team.root)
        assert [one["commit_id"] for one in found["commits"]] == [str(merge)]

    unknown = flair("verify", "--since", "0" * 12)
    assert unknown.code == 1
    assert "no commit of this history begins with" in unknown.err


def test_an_update_is_no_commit_to_begin_from(team, flair):
    merge = team.run_round(0.25)
    update = read_commit(team.owner.remote, merge).parents[1]

    refused = flair("verify", "--since", update)

    assert refused.code == 1
    assert "was never the head of these branches" in refused.err


def test_every_branch_is_verified_and_one_without_a_commit_is_said(team, flair):
    assert flair("branch", "create", "trial", "--repo", team.repo).code == 0

    found = flair("verify", "--json").result
    text = flair("verify").out

    assert [one["branch"] for one in found["branches"]] == ["main", "trial"]
    assert found["branches"][1]["head"] is None
    assert "branch trial" in text
    assert "no commit yet" in text
    only = flair("verify", "--branch", "trial", "--json").result
    assert [one["branch"] for one in only["branches"]] == ["trial"]
    assert flair("verify", "--branch", "other").code == 1


def test_the_first_thing_that_is_wrong_is_named_and_ends_with_five(team, flair):
    good = team.run_round(0.25)
    wrong = team.run_round(0.5, merge=type(team).wrong_merge)

    said = flair("verify")
    line = flair("verify", "--json").line

    assert said.code == 5
    assert f"error: commit {wrong.short}: weights: tensor 'linear.bias'" in said.err
    assert f"{wrong.short} is NOT valid, {good.short} is the last that is" in said.out
    assert (line["exit_code"], line["error_code"]) == (5, "VerificationError")
    assert not line["result"]["valid"]
    assert line["result"]["branches"][0]["valid_head"] == str(good)


def test_another_cluster_than_the_pinned_one_is_refused(team, flair):
    other = "5eykt4UsFv8P8NJdTREpY1vzqKqZKvdpKuc147dw2N9d"
    config = team.home / "config.toml"
    config.write_text(config.read_text().replace(team.net.genesis_hash, other))

    refused = flair("verify", team.repo)

    assert refused.code == 3
    assert "genesis hash" in refused.err


def test_a_profile_without_a_pin_still_compares_rpc_and_program(team, flair):
    config = team.home / "config.toml"
    kept = [line for line in config.read_text().splitlines() if "genesis" not in line]
    config.write_text("\n".join(kept) + "\n")

    said = flair("verify", team.repo)

    assert said.code == 0, said.err
    assert f"{team.net.genesis_hash} (not pinned)" in said.out


def test_a_config_made_for_another_cluster_is_refused(team, monkeypatch):
    chain = team.owner.chain
    monkeypatch.setattr(
        type(chain.rpc),
        "get_genesis_hash",
        lambda _: "5eykt4UsFv8P8NJdTREpY1vzqKqZKvdpKuc147dw2N9d",
    )

    with pytest.raises(ClusterMismatch, match="pinned is"):
        verify(team.owner, team.repo)


def test_an_unknown_repository(team, flair):
    refused = flair("verify", str(team.repo) + "-other")

    assert refused.code == 1
    assert "there is no repo" in refused.err
