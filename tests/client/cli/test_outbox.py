"""What leaves is what `flair outbox` lists; sites, second persons and budgets rule."""

import dataclasses
import functools
import hashlib
import json
from pathlib import Path

import base58
import pytest
from work_world import ROWS, running_net, shifted

from flair_client.audit import AUDIT_FILE
from flair_client.chain.events import EVENT_PREFIX, UpdatePushed, decode_event
from flair_client.chain.rpc import Rpc
from flair_client.cli import session
from flair_client.config_file import write_config
from flair_client.encoding import decode_commit, decode_delta
from flair_client.ids import Cid
from flair_client.privacy.accountant import epsilon_of
from flair_client.settings import load_settings
from flair_client.store.disk import DiskStore
from flair_client.workspace import Workspace

NOISY = ("--open", "--min-updates", 1, "--dp", "required", "--bits", 16)


@pytest.fixture(scope="module")
def net(tmp_path_factory):
    with running_net(tmp_path_factory.mktemp("net")) as made:
        yield made


@pytest.fixture(scope="module")
def owner(net):
    return net.person("owner")


@pytest.fixture(scope="module")
def heart(net, owner):
    return net.publish(owner, "heart")


@pytest.fixture(scope="module")
def noisy(net, owner):
    """A model whose policy requires noise."""
    return net.publish(owner, "noisy", *NOISY)


@pytest.fixture
def site(net, request):
    kept = [one if one.isalnum() else "-" for one in request.node.name.lower()]
    return net.person("".join(kept))


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


def cloned(person, address, name="clone"):
    person.json("clone", address, name, "--trust")
    folder = person.folder / name
    shifted(folder / "weights.safetensors", person.folder / "new.safetensors")
    return folder


def commit(person, folder, *flags, message="one"):
    new = person.folder / "new.safetensors"
    words = ("commit", "-m", message, "--weights", new, "--num-samples", 40)
    return person(*words, *flags, "--json", cwd=folder)


def said(ran):
    return json.loads(ran.out)


def audited(person):
    lines = (person.home / AUDIT_FILE).read_text().splitlines()
    return [json.loads(line) for line in lines]


@dataclasses.dataclass
class Traffic:
    """What went out: blocks put into the shared store, transactions sent."""

    blocks: list
    transactions: list

    def clear(self):
        self.blocks.clear()
        self.transactions.clear()


@pytest.fixture
def traffic(monkeypatch, net):
    seen = Traffic([], [])
    put, send = DiskStore.put, Rpc.send_transaction
    shared = Path(net.store.removeprefix("file://"))

    def recorded_put(self, codec, block):
        cid = put(self, codec, block)
        if self.path.is_relative_to(shared):
            seen.blocks.append((cid, bytes(block)))
        return cid

    def recorded_send(self, wire):
        seen.transactions.append(bytes(wire))
        return send(self, wire)

    monkeypatch.setattr(DiskStore, "put", recorded_put)
    monkeypatch.setattr(Rpc, "send_transaction", recorded_send)
    return seen


def account_keys(wire):
    """Account keys of a legacy transaction: counts below 128 are one byte."""
    message = wire[1 + 64 * wire[0] :]
    return [message[4 + 32 * n : 36 + 32 * n] for n in range(message[3])]


def instruction_data(wire):
    """Data of the one instruction of a legacy transaction, in hex."""
    message = wire[1 + 64 * wire[0] :]
    rest = message[4 + 32 * message[3] + 32 :]
    assert rest[0] == 1
    n_accounts = rest[2]
    size, at = rest[3 + n_accounts], 4 + n_accounts
    if size & 0x80:
        size, at = (size & 0x7F) | rest[at] << 7, at + 1
    assert len(rest) == at + size
    return rest[at:].hex()


def test_captured_traffic_of_a_round_is_what_the_outbox_said(
    net, owner, site, traffic, tmp_path
):
    folder = cloned(site, net.publish(owner, "fresh"))
    assert commit(site, folder).code == 0
    traffic.clear()

    listed = site.json("outbox", "--save", tmp_path / "for-it", cwd=folder)
    planned = site.json("push", "--dry-run", cwd=folder)
    assert (traffic.blocks, traffic.transactions) == ([], [])
    assert site.json("push", cwd=folder)["sent"]

    # Blocks: those that were listed, in this order, and the events announced.
    events = [raw for _, raw in traffic.blocks if raw.startswith(EVENT_PREFIX)]
    blocks = [one for one in traffic.blocks if not one[1].startswith(EVENT_PREFIX)]
    sizes = [(str(cid), len(raw)) for cid, raw in blocks]
    assert sizes == [(one["cid"], one["size"]) for one in listed["blocks"]]
    assert planned["blocks"] == listed["blocks"]
    assert sum(size for _, size in sizes) == listed["n_bytes"]
    kinds = [decode_event(raw.removeprefix(EVENT_PREFIX)) for raw in events]
    assert [
        {"name": type(kind).__name__, "size": len(raw)}
        for kind, raw in zip(kinds, events, strict=True)
    ] == listed["events"]
    # Transactions: to the byte, but for blockhash and signature.
    sent = [instruction_data(wire) for wire in traffic.transactions]
    assert sent == [one["data"] for one in listed["transactions"]]
    for wire, one in zip(traffic.transactions, listed["transactions"], strict=True):
        touched = {base58.b58encode(key).decode() for key in account_keys(wire)}
        named = {address for _, address in one["accounts"]}
        assert touched == named | {one["program_id"]}
    # The event repeats what the transaction says.
    (told,) = [kind for kind in kinds if isinstance(kind, UpdatePushed)]
    arguments = listed["transactions"][-1]["fields"]
    assert str(told.commit_id) == arguments["commit_id"] == listed["commit"]
    assert str(told.weight) == arguments["weight"] == "32"
    # The saved bytes are those that were sent, and the log says the same.
    for cid, raw in blocks:
        assert (tmp_path / "for-it/blocks" / str(cid)).read_bytes() == raw
    assert json.loads((tmp_path / "for-it/outbox.json").read_text()) == listed
    (line,) = [one for one in audited(site) if one["kind"] == "push"]
    assert line["details"]["outbox"] == listed["digest"]
    assert [tuple(one[1:]) for one in line["details"]["blocks"]] == sizes
    assert [one[1] for one in line["details"]["transactions"]] == sent


def test_every_field_of_the_commit_is_listed(site, heart):
    folder = cloned(site, heart)
    made = commit(site, folder).result
    listed = site.json("outbox", cwd=folder)
    fields = dict(listed["fields"])

    assert fields["commit.message"] == "one"
    assert fields["commit.training.samples_bucket"] == "32"
    assert fields["commit.privacy.mode"] == "public"
    raw = DiskStore(folder / ".flair/objects").get(
        Cid.parse(listed["blocks"][-1]["cid"])
    )
    assert hashlib.sha256(raw).hexdigest() == made["commit"]
    whole = decode_commit(raw)
    named = {
        path.split(".")[1].split("[")[0] for path in fields if path[:6] == "commit"
    }
    assert named == {
        item.name
        for item in dataclasses.fields(whole)
        if getattr(whole, item.name) is not None
    }


def test_the_list_does_not_depend_on_who_looks(site, heart):
    folder = cloned(site, heart)
    commit(site, folder)
    first = site.json("outbox", cwd=folder)
    site("wallet", "new", "second")

    assert site.json("outbox", "--wallet", "second", cwd=folder) == first


RULES = [
    "modes = ['secagg']",
    "min_rows = 64",
    f"recipes = ['{'0' * 64}']",
    "max_epsilon = 4",
    "hosts = ['rpc.example']",
]


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.split()[0])
def test_each_rule_stops_a_commit(site, heart, rules, rule):
    folder = cloned(site, heart)
    rules(rule)

    ran = commit(site, folder)

    assert ran.code == 1
    assert f"limits.{rule.split()[0]}" in said(ran)["message"]
    assert "site.toml" in said(ran)["hint"]


@pytest.mark.parametrize(
    "rule",
    [*RULES, "second_approver = ['SysvarC1ock11111111111111111111111111111111']"],
    ids=lambda rule: rule.split()[0],
)
def test_each_rule_stops_a_push_of_what_was_committed_before(
    site, heart, rules, traffic, rule
):
    folder = cloned(site, heart)
    assert commit(site, folder).code == 0
    traffic.clear()
    rules(rule)

    ran = site("push", "--json", cwd=folder)

    assert ran.code == 1
    assert f"limits.{rule.split()[0]}" in said(ran)["message"]
    assert (traffic.blocks, traffic.transactions) == ([], [])


def test_no_flag_or_variable_gets_around_a_rule(site, heart, rules, monkeypatch):
    folder = cloned(site, heart)
    rules("min_rows = 41")
    write_config(site.home / "config.toml", {"limits.min_rows": 1})
    write_config(folder / ".flair/config.local", {"limits.min_rows": 1})
    monkeypatch.setenv("FLAIR_LIMITS_MIN_ROWS", "1")

    assert commit(site, folder).code == 1


def test_three_rows_give_no_statistics_away(site, heart, rules):
    folder = cloned(site, heart)
    three, all_rows = site.folder / "three.csv", site.folder / "rows.csv"
    three.write_text("\n".join(ROWS.splitlines()[:4]))
    all_rows.write_text(ROWS)

    by_recipe = site("train", "--data", three, cwd=folder)
    assert by_recipe.code == 1
    assert "3 rows" in by_recipe.err
    rules("min_rows = 41")
    by_site = site("train", "--data", all_rows, cwd=folder)
    assert by_site.code == 1
    assert "at least 41" in by_site.err

    assert not (folder / "update.safetensors").exists()
    refused = audited(site)[-1]
    assert refused["kind"] == "refused"
    assert refused["details"]["rule"] == "limits.min_rows"


def test_a_second_person_approves_exactly_this(site, heart, rules):
    folder = cloned(site, heart)
    for name in ("second", "third"):
        assert site("wallet", "new", name).code == 0
    second = site.json("wallet", "show", "second")["address"]
    rules(f"second_approver = ['{second}']")
    made = commit(site, folder).result

    missing = site("push", cwd=folder)
    assert missing.code == 1
    assert "second person's approval" in missing.err
    assert "flair outbox" in missing.err
    own = site("outbox", "--approve", cwd=folder)
    assert "cannot be its second person" in own.err
    stranger = site("outbox", "--approve", "--wallet", "third", cwd=folder)
    assert "is no approver here" in stranger.err
    approve = ("outbox", "--approve", "--wallet", "second")
    signed = site.json(*approve, cwd=folder)
    assert (signed["approver"], signed["commit"]) == (second, made["commit"])

    # Another commit is something else than what was approved.
    other = commit(site, folder, message="two").result
    assert site("push", cwd=folder).code == 1
    approvals = folder / ".flair/approvals"
    copied = approvals / f"{other['commit']}.toml"
    copied.write_text((approvals / f"{made['commit']}.toml").read_text())
    forged = site("push", cwd=folder)
    assert forged.code == 1
    assert "something else than what would leave now" in forged.err
    copied.write_text("approver = 1\n")
    assert "its file is damaged" in site("push", cwd=folder).err

    site.json(*approve, cwd=folder)
    assert site.json("push", cwd=folder)["sent"]
    kinds = [line["kind"] for line in audited(site)]
    assert kinds.count("approval") == 2
    assert kinds[-2:] == ["push", "pushed"]


def test_audit_log_shows_and_finds_a_change(site, heart):
    folder = cloned(site, heart)
    commit(site, folder)
    site.json("push", cwd=folder)
    log = site.json("outbox", "--audit", "show")
    assert [line["kind"] for line in log["lines"]] == ["commit", "push", "pushed"]
    assert "3 lines" in site("outbox", "--audit", "verify").out

    path = site.home / AUDIT_FILE
    path.write_text(path.read_text().replace('"num_samples":40', '"num_samples":4'))
    ran = site("outbox", "--audit", "verify")
    assert ran.code == 5
    assert "line 2 does not follow" in ran.err


def test_flags_that_do_not_go_together(site):
    assert site("outbox", "--audit", "verify", "--approve").code == 2


def test_noise_is_demanded_given_stated_and_paid_for(site, noisy):
    folder = cloned(site, noisy)
    without = commit(site, folder)
    assert without.code == 2
    assert "requires noise" in said(without)["message"]
    nameless = commit(site, folder, "--epsilon", 2)
    assert nameless.code == 2
    assert "data source" in said(nameless)["message"]

    made = commit(site, folder, "--epsilon", 2, "--source", "icu").result
    stated = made["privacy"]
    assert stated["epsilon"] <= 2
    assert stated["epsilon"] == epsilon_of((stated["noise_multiplier"],), 1e-6)
    assert "nothing is counted" in site("privacy", "show", "icu").err
    site.json("push", cwd=folder)

    spent = site.json("privacy", "show", "icu")
    assert [one["commit"] for one in spent["updates"]] == [made["commit"]]
    assert spent["epsilon"] == pytest.approx(stated["epsilon"])
    assert spent["max_epsilon"] == 10
    assert site.json("privacy", "list")["sources"] == [spent]


def test_the_file_that_was_trained_on_pays(site, noisy):
    folder = cloned(site, noisy)
    data = site.folder / "rows.csv"
    data.write_text(ROWS)
    site.json("train", "--data", data, cwd=folder)
    site.json("commit", "-m", "one", "--epsilon", 2, cwd=folder)
    site.json("push", cwd=folder)

    assert len(site.json("privacy", "show", data)["updates"]) == 1


def test_two_commits_of_the_same_weights_differ_by_noise_alone(site, noisy):
    folder = cloned(site, noisy)
    store = DiskStore(folder / ".flair/objects")
    deltas = []
    for _ in range(2):
        commit(site, folder, "--epsilon", 2, "--source", "icu")
        blocks = site.json("outbox", cwd=folder)["blocks"]
        (cid,) = [one["cid"] for one in blocks if one["what"] == "delta"]
        deltas.append(decode_delta(store.get(Cid.parse(cid))))

    assert deltas[0].tensors != deltas[1].tensors
    assert dataclasses.replace(deltas[0], tensors=(), norm_sq=0) == (
        dataclasses.replace(deltas[1], tensors=(), norm_sq=0)
    )


def test_a_spent_budget_refuses_over_several_repositories(site, noisy, net, owner):
    asked = ("--epsilon", 2, "--source", "icu")
    first = cloned(site, noisy)
    second = cloned(site, net.publish(owner, "other", *NOISY), "second")
    assert site("config", "set", "privacy.max_epsilon", "2.5").code == 0
    assert commit(site, first, *asked).code == 0
    # Committed while there was budget for one of them.
    assert commit(site, second, *asked).code == 0
    assert site.json("push", cwd=first)["sent"]

    late = site("push", cwd=second)
    assert late.code == 1
    assert "has spent epsilon" in late.err
    assert "flair privacy show" in late.err
    assert said(commit(site, second, *asked))["error_code"] == "BudgetSpent"
    assert len(site.json("privacy", "show", "icu")["updates"]) == 1
    # Another source has its own.
    assert commit(site, second, "--epsilon", 2, "--source", "ward").code == 0
    assert site.json("push", cwd=second)["sent"]


def test_a_kill_between_ledger_and_sending_does_not_pay_twice(site, noisy, monkeypatch):
    folder = cloned(site, noisy)
    site("config", "set", "privacy.max_epsilon", "2.5")
    made = commit(site, folder, "--epsilon", 2, "--source", "icu").result

    class Killed(BaseException):
        pass

    def killed(*_):
        raise Killed

    with monkeypatch.context() as patch:
        patch.setattr("flair_client.porcelain.push.send_blocks", killed)
        with pytest.raises(Killed):
            site("push", cwd=folder)
    spent = site.json("privacy", "show", "icu")["updates"]
    assert [one["commit"] for one in spent] == [made["commit"]]

    # A new update has no budget left; the same one goes out without paying twice.
    assert commit(site, folder, "--epsilon", 2, "--source", "icu").code == 1
    assert site.json("push", cwd=folder)["sent"]
    assert len(site.json("privacy", "show", "icu")["updates"]) == 1


def test_site_limits_win_over_the_users_budget(site, noisy, rules):
    folder = cloned(site, noisy)
    site("config", "set", "privacy.max_epsilon", "100")
    rules("max_epsilon = 1\nmax_delta = 1e-7")

    asked = commit(site, folder, "--epsilon", 2, "--source", "icu")
    assert "limits.max_delta" in said(asked)["message"]
    low = ("--delta", 1e-7, "--source", "icu")
    asked = commit(site, folder, "--epsilon", 2, *low)
    assert said(asked)["error_code"] == "BudgetSpent"
    assert commit(site, folder, "--epsilon", 0.9, *low).code == 0


def test_metrics_that_the_site_does_not_list_stay_here(site, owner, net, rules):
    folder = owner.folder / "measured"
    (owner.folder / "rows.csv").write_text(ROWS)
    owner.json("init", "measured", "--columns-from", "rows.csv")
    text = (folder / "flair.toml").read_text()
    at = text.index("allowed = [")
    end = text.index("]", at) + 1
    (folder / "flair.toml").write_text(
        f'{text[:at]}allowed = ["accuracy", "auc"]{text[end:]}'
    )
    flags = ("--open", "--min-updates", 1)
    made = owner.json("repo", "create", "measured", *flags, cwd=folder)
    work = cloned(site, made["repo"])
    (site.folder / "rows.csv").write_text(ROWS)
    site.json("train", "--data", site.folder / "rows.csv", cwd=work)
    workspace = Workspace(work)
    trained = workspace.marker("trained")
    measured = {"accuracy": 0.5, "auc": 0.75, "secret": 1.0}
    workspace.set_marker("trained", {**trained, "metrics": measured})

    # With noise none leaves; the recipe's list and the site's hold without.
    noisy = site.json("commit", "-m", "one", "--epsilon", 2, cwd=work)
    assert (noisy["metrics"], noisy["metrics_withheld"]) == ({}, ["accuracy", "auc"])
    rules("metrics = ['auc']")
    committed = site.json("commit", "-m", "one", cwd=work)
    assert committed["metrics"] == {"auc": 0.75}
    assert committed["metrics_withheld"] == ["accuracy"]
    rules("metrics = []")
    ran = site("push", cwd=work)
    assert ran.code == 1
    assert "no metric 'auc' leave" in ran.err
