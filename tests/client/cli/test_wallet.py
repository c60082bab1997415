import json
import stat

import pytest

from flair_client.chain.signer import load_wallet


def test_new_writes_a_file_for_the_user_alone_and_never_prints_it(flair, home):
    ran = flair("wallet", "new", "alice")

    path = home / "wallets/alice.json"
    secret = json.loads(path.read_text())
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    assert len(secret) == 64
    address = load_wallet(path).address
    assert ran.out == f"{address}\n{path}\n"
    for said in (ran.out, ran.err, flair("wallet", "show", "alice", "--json").out):
        assert str(secret[:4])[1:-1] not in said
        assert bytes(secret[:32]).hex() not in said


def test_new_without_a_name_makes_the_wallet_in_use(flair, home):
    assert flair("wallet", "new", "--json").line["result"]["is_default"] is True
    assert (home / "wallets/default.json").is_file()

    flair("config", "set", "core.wallet", "bob")
    assert flair("wallet", "new", "--json").line["result"]["name"] == "bob"


def test_new_never_replaces_a_wallet(flair, home):
    flair("wallet", "new")
    before = (home / "wallets/default.json").read_bytes()

    ran = flair("wallet", "new", "--json")

    assert ran.code == 1
    assert "exists already" in ran.line["message"]
    assert (home / "wallets/default.json").read_bytes() == before


def test_new_follows_no_link_that_lies_in_the_way(flair, home, tmp_path):
    (home / "wallets").mkdir(parents=True)
    (home / "wallets/default.json").symlink_to(tmp_path / "elsewhere.json")

    assert flair("wallet", "new").code == 1
    assert not (tmp_path / "elsewhere.json").exists()


def test_a_wallet_readable_by_others_is_refused_with_the_cure(flair, home):
    flair("wallet", "new")
    (home / "wallets/default.json").chmod(0o640)

    line = flair("wallet", "show", "--json").line

    assert line["exit_code"] == 3
    assert "readable by others (mode 640)" in line["message"]
    assert "chmod 600" in line["hint"]


@pytest.mark.parametrize(
    "text",
    ["", "{}", "[1, 2]", "[" + "1," * 64 + "1]", '["x"]', "[" + "0, " * 63 + "0]"],
)
def test_a_malformed_wallet_is_refused(flair, home, text):
    (home / "wallets").mkdir(parents=True)
    path = home / "wallets/default.json"
    path.write_text(text)
    path.chmod(0o600)

    assert flair("wallet", "show", "--json").line["error_code"] == "WalletError"


def test_a_wallet_may_be_a_path_as_solana_keygen_writes_it(flair, home, tmp_path):
    address = flair("wallet", "new", "alice", "--json").line["result"]["address"]
    path = tmp_path / "id.json"
    path.write_bytes((home / "wallets/alice.json").read_bytes())
    path.chmod(0o600)

    assert flair("wallet", "address", "--wallet", path).out == f"{address}\n"
    assert flair("wallet", "address", path).out == f"{address}\n"


def test_list_marks_the_one_in_use_and_warns_of_bad_ones(flair, home):
    flair("wallet", "new", "alice")
    flair("wallet", "new", "bob")
    (home / "wallets/eve.json").write_text("[]")
    (home / "wallets/eve.json").chmod(0o600)

    ran = flair("wallet", "list", "--wallet", "bob")
    line = flair("wallet", "list", "--wallet", "bob", "--json").line

    assert [row.split()[0] for row in ran.out.splitlines()] == ["NAME", "alice", "*"]
    assert "warning:" in ran.err
    assert [item["name"] for item in line["result"]["wallets"]] == ["alice", "bob"]
    assert "eve.json" in line["result"]["problems"][0]["path"]


@pytest.mark.parametrize("amount", ["0", "-1", "lots", "0.0000000001"])
def test_airdrop_takes_whole_lamports_above_zero(flair, amount):
    assert flair("wallet", "airdrop", "--", amount).code == 2


def test_mainnet_has_no_faucet(flair, monkeypatch):
    from flair_client.cli.session import App
    from flair_client.context import Context

    def context(self, **_):
        return Context(self.settings.profile(), chain=None, remote=None)

    monkeypatch.setattr(App, "context", context)
    monkeypatch.setattr(App, "close", lambda _: None)
    flair("wallet", "new")

    line = flair("wallet", "airdrop", "--network", "mainnet", "--json").line

    assert line["exit_code"] == 1
    assert line["error_code"] == "Refused"


@pytest.mark.parametrize(
    "words",
    [
        ("wallet", "new", "siteA"),
        ("wallet", "show", "siteA"),
        ("wallet", "balance", "siteA"),
        ("wallet", "airdrop", "--to", "siteA"),
        ("wallet", "show", "--wallet", "siteA"),
    ],
)
def test_a_name_that_cannot_be_one_tells_the_rule(flair, words):
    ran = flair(*words)

    assert ran.code == 2
    assert "'siteA'" in ran.err
    assert "1 to 64 of a-z 0-9 . _ -" in ran.err
