"""The verbs of joining, machine keys and sponsors, as a shell would run them."""

import io
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import httpx
import pytest
from joining_world import shifted_file

from flair_client.chain.signer import create_wallet
from flair_client.config_file import read_config


@pytest.fixture
def wallets(team):
    """Makes wallets without money in the team's home; gives name → address."""

    def make(*names):
        folder = team.home / "wallets"
        return [str(create_wallet(folder / f"{name}.json").address) for name in names]

    return make


def link_from(flair, *options):
    ran = flair("invite", "create", "--expires", "30d", *options)
    assert ran.code == 0, ran.err
    return ran.out.strip()


def test_a_guest_without_money_joins_and_pushes_by_two_commands(
    flair, team, sponsor, wallets, tmp_path
):
    (guest,) = wallets("guest")
    link = link_from(flair, "--sponsor", sponsor.sponsor_url)
    as_guest = ("--wallet", "guest")

    ran = flair(*as_guest, "--json", "join", link, "here", "--trust", cwd=tmp_path)

    assert ran.code == 0, ran.err
    joined = ran.result["joined"]
    assert joined["wallet"] == guest
    assert joined["paid_by"] == str(sponsor.wallet.address)
    folder = tmp_path / "here"
    kept = read_config(folder / ".flair" / "config.local")
    assert kept == {"sponsor.url": sponsor.sponsor_url}
    file = shifted_file(folder)
    for words in (
        ("commit", "--weights", file, "--num-samples", 40, "-m", "step"),
        ("push",),
    ):
        ran = flair(*as_guest, *words, cwd=folder)
        assert ran.code == 0, ran.err
    assert "0 SOL" in flair("wallet", "balance", guest).out
    again = flair(*as_guest, "join", link, "here", cwd=tmp_path)
    assert again.code == 0
    assert "already" in again.out


@pytest.mark.parametrize(
    ("change", "ends"),
    [
        (lambda link: link[:-6] + "zzzzzz", (1, "InviteGone")),
        (lambda link: link[:-12], (2, "IdentifierInvalid")),
        (lambda link: link.partition("#")[0], (2, "UsageError")),
        (lambda link: link + "&more=1", (2, "IdentifierInvalid")),
    ],
    ids=["forged", "cut off", "address alone", "with more"],
)
def test_a_wrong_link_ends_with_one_sentence(flair, team, change, ends, tmp_path):
    link = link_from(flair)

    ran = flair("--wallet", "site-0", "--json", "join", change(link), "x", cwd=tmp_path)

    assert (ran.code, ran.line["error_code"]) == ends
    secret = link.partition("=")[2]
    assert secret[:20] not in ran.out + ran.err
    assert not (tmp_path / "x").exists()


def test_a_link_comes_from_standard_input(flair, team, monkeypatch, tmp_path):
    link = link_from(flair, "--uses", 2)
    monkeypatch.setattr(sys, "stdin", io.StringIO(link + "\n"))

    ran = flair("--wallet", "site-0", "join", "-", "--no-clone", cwd=tmp_path)

    assert ran.code == 0, ran.err
    (listed,) = flair("--json", "invite", "list").result["invites"]
    assert listed["uses_left"] == 1
    assert flair("invite", "revoke", listed["key"]).code == 0
    assert flair("invite", "list").out == "no invites\n"
    ran = flair("--json", "invite", "revoke", listed["key"])
    assert (ran.code, ran.line["error_code"]) == (1, "AccountMissing")


def test_options_that_do_not_fit_a_link_are_refused(flair, team, tmp_path):
    link = link_from(flair)
    address = link.partition("#")[0]
    for words in (
        (link, "--request"),
        (link, "--note", "hello"),
        (link, "here", "--no-clone"),
        (address, "here", "--request"),
        (address, "--request", "--note", "x" * 2001),
        (address, "--request", "--sponsor", "ftp://a.example"),
    ):
        ran = flair("--wallet", "site-0", "join", *words, cwd=tmp_path)
        assert ran.code == 2, (words, ran.err)
    assert flair("request", "list").out == "no requests\n"


def test_what_is_no_link_is_called_what_it_is(flair, team, tmp_path, monkeypatch):
    address = str(team.repo)
    for text, said in (
        ("nonsense", "'nonsense' is not a valid invitation link"),
        ("a/b", "'a/b' is not a valid invitation link"),
        (address, "this is an address and no invitation"),
        (address.removeprefix("flair://localnet/"), "this is an address and no"),
        ("nonsense#invite=1", "'nonsense' is not a valid repository address"),
    ):
        ran = flair("--wallet", "site-0", "join", text, cwd=tmp_path)
        assert ran.code == 2
        assert said in ran.err
    monkeypatch.setattr(sys, "stdin", io.StringIO(" \n"))

    ran = flair("--wallet", "site-0", "join", "-", cwd=tmp_path)

    assert (ran.code, ran.err) == (2, "error: standard input holds no link\n")


def test_what_is_not_there_is_named_as_people_write_it(flair, team):
    creator = team.repo.creator
    repo = f"flair://localnet/{creator}/none"
    key = str(creator)
    for words, said in (
        (("role", "list", "--repo", repo), f"there is no repo {repo}"),
        (("verify", repo), f"there is no repo {repo}"),
        (("clone", repo, "there"), f"there is no repo {repo}"),
        (("join", repo, "--request"), f"there is no repo {repo}"),
        (("verify", "--branch", "none"), "there is no branch 'none'"),
        (("policy", "show", "7"), f"there is no policy 7 in {team.repo}"),
        (("invite", "revoke", key), f"there is no invite of key {key} in {team.repo}"),
        (("role", "revoke", key), f"there is no role of {key} in {team.repo}"),
        (("delegate", "revoke", key), f"to {key} in {team.repo}"),
        (("request", "close", key), f"of {key} to join {team.repo}"),
        (("round", "show", "--branch", "none"), "there is no branch 'none' in"),
    ):
        ran = flair(*words)
        assert ran.code == 1, (words, ran.err)
        assert said in ran.err, (words, ran.err)


def test_a_request_is_shown_answered_and_gone(flair, team, tmp_path):
    as_site = ("--wallet", "site-0")
    address = str(team.repo)
    note = "ICU of Ulm\x1b[2J"
    ran = flair(*as_site, "join", address, "--request", "--note", note, cwd=tmp_path)
    assert ran.code == 0, ran.err
    again = flair(*as_site, "join", address, "--request", cwd=tmp_path)
    assert (again.code, "has asked to join already" in again.err) == (1, True)
    assert "flair request close" in again.err

    listed = flair("request", "list").out
    assert "ICU of Ulm" in listed
    assert "\x1b" not in listed
    wallet = flair("--json", "request", "list").result["requests"][0]["wallet"]
    ran = flair("role", "grant", wallet, "contribute")

    assert "answered" in ran.err
    assert flair("request", "list").out == "no requests\n"
    closed = flair("--json", "request", "close", wallet)
    assert (closed.code, closed.line["error_code"]) == (1, "AccountMissing"), closed


def test_a_machine_pushes_with_its_own_key_until_it_is_revoked(
    flair, team, wallets, tmp_path
):
    machine, spare = wallets("machine", "spare")
    team.fund(machine)
    _, workspace = team.sites[0]
    folder = workspace.folder
    key_file = team.home / "wallets" / "machine.json"
    as_site = ("--wallet", "site-0")
    made = flair(
        *as_site,
        "--json",
        "delegate",
        "create",
        "--to",
        key_file,
        "--expires",
        "90d",
        cwd=folder,
    )
    assert made.code == 0, made.err
    wallet = made.result["wallet"]
    for name, value in (
        ("core.wallet", key_file),
        ("contribute.on_behalf_of", wallet),
    ):
        assert flair("config", "set", "--local", name, value, cwd=folder).code == 0
    file = shifted_file(folder)
    flair("commit", "--weights", file, "--num-samples", 40, "-m", "x", cwd=folder)

    ran = flair("push", cwd=folder)

    assert ran.code == 0, ran.err
    (update,) = flair("--json", "update", "list").result["updates"]
    assert update["contributor"] == wallet
    rotated = flair(
        *as_site,
        "delegate",
        "rotate",
        "--from",
        machine,
        "--to",
        spare,
        "--expires",
        "1d",
        cwd=folder,
    )
    assert rotated.code == 0, rotated.err
    rows = flair("--json", "delegate", "list").result["delegations"]
    assert [row["machine_key"] for row in rows] == [spare]
    gone = flair("--json", "update", "withdraw", cwd=folder)
    assert gone.code == 0, gone.err  # it pushed it, so it may take it back
    flair("commit", "--weights", file, "--num-samples", 40, "-m", "x", cwd=folder)
    ran = flair("--json", "push", cwd=folder)
    assert (ran.code, ran.line["error_code"]) == (1, "NotDelegated")
    assert "flair delegate create" in ran.line["hint"]
    assert flair(*as_site, "delegate", "revoke", spare, cwd=folder).code == 0
    assert flair("delegate", "list").out == "no delegations\n"


@pytest.mark.parametrize(
    ("words", "ends"),
    [
        (("--to", "SELF", "--expires", "1d"), (2, "DelegateSelf")),
        (("--to", "SPARE", "--expires", "367d"), (2, "DelegationTooLong")),
        (("--to", "nonsense", "--expires", "1d"), (2, "UsageError")),
        (("--to", "missing.json", "--expires", "1d"), (3, "WalletError")),
    ],
)
def test_a_delegation_that_cannot_be_is_refused(flair, team, wallets, words, ends):
    (spare,) = wallets("spare")
    own = str(team.owner.wallet.address)
    given = [{"SELF": own, "SPARE": spare}.get(word, word) for word in words]

    ran = flair("--json", "delegate", "create", *given)

    assert (ran.code, ran.line["error_code"]) == ends


def test_a_sponsor_runs_in_the_foreground_and_ends_in_good_order(
    flair, team, wallets, tmp_path
):
    (payer,) = wallets("payer")
    ran = flair("--json", "sponsor", "run", "--wallet", "payer", "--repo", team.repo)
    assert (ran.code, ran.line["error_code"]) == (1, "NoSponsor")
    assert flair("sponsor", "set", payer).code == 0
    command = [sys.executable, "-m", "flair_client.cli", "sponsor", "run", "--json"]
    command += ["--wallet", "payer", "--repo", str(team.repo), "--port", "0"]
    environment = {**os.environ, "FLAIR_HOME": str(team.home)}
    with subprocess.Popen(
        command, env=environment, cwd=tmp_path, stdout=subprocess.PIPE, text=True
    ) as child:
        said = json.loads(child.stdout.readline())["result"]
        about = httpx.get(said["url"]).json()
        child.send_signal(signal.SIGTERM)
        assert child.wait(30) == 0

    assert about["sponsor"] == said["sponsor"] == payer
    status = flair("--json", "sponsor", "status", "--wallet", "payer").result
    assert status["n_signed"] == 0
    assert "no sponsor" in flair("sponsor", "set", "none").out
    assert Path(team.home / "sponsor").is_dir()
