"""The verbs that talk to a chain: what they print, and what they ask for."""

import pytest

from flair_client.chain.accounts import RoundState, Scope, UpdateStatus
from flair_client.chain.pdas import PROGRAM_ID
from flair_client.cli import session
from flair_client.context import Context
from flair_client.errors import ProgramRefused
from flair_client.settings import NetworkProfile
from flair_client.testing import (
    ADDRESS,
    ALICE,
    BOB,
    HEAD,
    MAIN,
    NOW,
    OWNER,
    MemoryChain,
    make_branch,
    make_role,
    make_round,
    make_update,
)


class ClosableChain(MemoryChain):
    """A memory chain that remembers that it was closed."""

    closed = False

    def close(self):
        type(self).closed = True


@pytest.fixture
def chain(monkeypatch):
    """The chain that commands find; OWNER's wallet signs."""
    made = ClosableChain()

    def open_context(
        settings, *, network=None, signer=False, hasty=False, store=None, progress=None
    ):
        profile = NetworkProfile(
            network or settings.network, "http://x", None, PROGRAM_ID, "file:///x"
        )
        who = OWNER if signer else None
        return Context(profile, made, None, who, progress, lambda: NOW)

    monkeypatch.setattr(session, "open_context", open_context)
    return made


@pytest.fixture
def busy(chain):
    """Round 1 in progress, closed, with two updates."""
    chain.round_accounts.append(
        make_round(1, state=RoundState.CLOSED, n_accepted=1, closed_at=NOW)
    )
    chain.update_accounts += [
        make_update(ALICE, 8),
        make_update(BOB, status=UpdateStatus.REJECTED, reject_reason=7),
    ]
    return chain


HEART = ("--repo", ADDRESS)


def test_repo_show_for_people(flair, chain):
    chain.branch_accounts.append(make_branch("trial", protected=True))

    out = flair("repo", "show", ADDRESS).out

    assert f"owner         {OWNER.address}" in out
    assert f"branch main: {HEAD.short}, round 1 in progress" in out
    assert "branch trial" in out
    assert "protected" in out
    assert ClosableChain.closed


def test_repo_list_and_create(flair, chain):
    assert str(ADDRESS) in flair("repo", "list").out
    made = flair("repo", "create", "lung")
    assert made.out == f"flair://localnet/{OWNER.address}/lung\n"
    again = flair("repo", "create", "heart", "--json").line
    assert (again["exit_code"], again["error_code"]) == (1, "Refused")


def test_the_workspaces_repository_is_meant_where_none_is_named(
    flair, chain, workspace
):
    (workspace / ".flair/config").write_text(f"[workspace]\nrepo = '{ADDRESS}'\n")

    assert flair("branch", "list").code == 0
    assert flair("role", "list").code == 0
    assert flair("policy", "list").code == 0


def test_roles(flair, chain):
    chain.role_accounts.append(
        make_role(ALICE, Scope.MERGE | Scope.ATTEST, branch=MAIN, expires_at=NOW)
    )

    listed = flair("role", "list", *HEART).out
    assert "merge, attest" in listed
    assert listed.splitlines()[-1].endswith("no")

    granted = flair(
        *("role", "grant", BOB.address, "contribute", "merge", *HEART),
        *("--expires", "30d", "--json"),
    ).line["result"]
    assert granted["scope"] == ["contribute", "merge"]
    assert granted["expires_at"] == NOW + 30 * 86_400

    revoked = flair("role", "revoke", ALICE.address, *HEART, "--branch", "main")
    assert "may no longer merge, attest" in revoked.out


def test_a_role_without_a_right_is_a_usage_error(flair, chain):
    assert flair("role", "grant", BOB.address, *HEART).code == 2
    assert flair("role", "grant", BOB.address, "rule", *HEART).code == 2
    assert chain.sent == []


def test_policies(flair, chain):
    shown = flair("policy", "show", "0", *HEART).out
    assert "updates        2 to 4" in shown
    assert "none: updates are readable" in shown

    listed = flair("policy", "list", *HEART).out
    assert listed.splitlines()[1].split()[-1] == "main"

    made = flair(
        *("policy", "create", *HEART, "--like", "0", "--open", "--bits", "13"),
        *("--round-length", "2h", "--json"),
    ).line["result"]["params"]
    assert (made["contribute"], made["bits"]) == (0, 13)
    assert made["round_length_s"] == 7200
    assert made["norm_bound_sq"] == 2**28
    assert flair("policy", "use", "0", *HEART).code == 0


def test_a_policy_needs_its_number_of_values(flair, chain):
    assert flair("policy", "create", *HEART).code == 2
    assert flair("policy", "create", *HEART, "--n-params", "0").code == 2
    done = flair("policy", "create", *HEART, "--n-params", "4", "--min-updates", "99")
    assert done.code == 2
    assert "policy.min_updates" in done.err
    assert chain.sent == []


def test_rounds(flair, busy):
    shown = flair("round", "show", *HEART).out
    assert "round     1 of main" in shown
    assert "state     closed" in shown
    assert str(ALICE.address) in shown

    listed = flair("round", "list", *HEART, "--limit", "1").out
    assert listed.splitlines()[1].startswith("    1  closed")

    for verb in ("open", "close", "abort"):
        assert flair("round", verb, *HEART).code == 0
    assert (
        "2 updates, 0 candidates and 0 attestations"
        in flair("round", "expire", *HEART).out
    )


def test_a_round_as_json_has_words_for_states(flair, busy):
    result = flair("round", "show", *HEART, "--json").line["result"]

    assert result["round"]["state"] == "closed"
    assert result["repo"] == str(ADDRESS)
    assert [one["reject_reason"] for one in result["updates"]] == [None, "norm"]


def test_no_round_is_a_negative_answer(flair, chain):
    line = flair("round", "show", "7", *HEART, "--json").line

    assert (line["exit_code"], line["error_code"]) == (1, "AccountMissing")
    assert "next one is 2" in flair("round", "list", *HEART).err


def test_updates(flair, busy):
    rejected = flair("update", "reject", ALICE.address, "--reason", "score", *HEART)
    assert rejected.out.endswith("is rejected: score\n")
    withdrawn = flair("update", "withdraw", *HEART, "--json").line
    assert withdrawn["error_code"] == "AccountMissing"
    assert flair("update", "reject", ALICE.address, *HEART).code == 2


def test_branches(flair, chain):
    listed = flair("branch", "list", *HEART).out.splitlines()
    assert listed[1].split() == ["main", HEAD.short, "1", "1", "live", "0"]
    made = flair("branch", "create", "trial", "--statistics", *HEART, "--json").line
    assert made["result"]["first_round"] == 0


@pytest.mark.parametrize(
    ("name", "code"),
    [
        ("RoleMissing", 3),
        ("HeadMoved", 1),
        ("PolicyOutOfRange", 2),
        ("NotKnownHere", 3),
    ],
)
def test_a_refusal_of_the_program_keeps_its_name(flair, chain, name, code, monkeypatch):
    def refuse(*_, **__):
        raise ProgramRefused(6001, name, "the program said no")

    monkeypatch.setattr(ClosableChain, "send", refuse)

    line = flair("branch", "create", "trial", *HEART, "--json").line

    assert (line["exit_code"], line["error_code"]) == (code, name)
    assert line["message"] == "the program said no"


def test_a_refusal_of_the_runtime_for_want_of_money_says_how_to_get_some(
    flair, chain, monkeypatch
):
    def refuse(*_, **__):
        raise ProgramRefused(None, "InsufficientFunds", "insufficient lamports")

    monkeypatch.setattr(ClosableChain, "send", refuse)

    line = flair("branch", "create", "trial", *HEART, "--json").line

    assert line["error_code"] == "ProgramRefused"
    assert "airdrop" in line["hint"]
