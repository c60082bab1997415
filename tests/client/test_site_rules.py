"""Each rule of a site forbids what it should; a site without rules forbids nothing."""

import pytest

from flair_client.chain.pdas import PROGRAM_ID
from flair_client.context import Context
from flair_client.errors import SiteRefused, UsageError
from flair_client.ids import Address, Digest
from flair_client.settings import NetworkProfile
from flair_client.site_rules import NO_RULES, SiteRules, load_site_rules

RECIPE = Digest(bytes(range(32)))
OTHER = Digest(bytes(32))
WALLET = Address(bytes([7] * 32))


def rules(tmp_path, text):
    path = tmp_path / "site.toml"
    path.write_text(f"[limits]\n{text}")
    return load_site_rules(path)


def test_no_file_no_rules(tmp_path):
    assert load_site_rules(tmp_path / "none.toml") == NO_RULES


def test_the_file_is_not_chosen_by_the_environment(tmp_path, monkeypatch):
    (tmp_path / "site.toml").write_text("[limits]\nmodes = []\n")
    for name in ("FLAIR_SITE", "FLAIR_HOME", "XDG_CONFIG_HOME", "HOME"):
        monkeypatch.setenv(name, str(tmp_path))

    assert load_site_rules().modes is None


def test_every_rule_is_read(tmp_path):
    found = rules(
        tmp_path,
        f"""
        modes = ["public"]
        hosts = ["rpc.example:8899", "file:///srv/flair"]
        max_epsilon = 4
        max_delta = 1e-6
        min_rows = 50
        metrics = ["auc"]
        recipes = ["{RECIPE}"]
        second_approver = ["{WALLET}"]
        no_sandbox = false
        """,
    )

    assert found == SiteRules(
        modes=("public",),
        hosts=("rpc.example:8899", "file:///srv/flair"),
        max_epsilon=4.0,
        max_delta=1e-6,
        min_rows=50,
        metrics=("auc",),
        recipes=(str(RECIPE),),
        second_approver=(WALLET,),
        no_sandbox=False,
    )


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("modes = ['open']", "'open' is not a mode"),
        ("recipes = ['abc']", "not a valid digest"),
        ("second_approver = ['me']", "not a valid address"),
        ("min_rows = -1", "a whole number"),
        ("min_rows = 1.5", "a whole number"),
        ("max_epsilon = nan", "a number"),
        ("max_epsilon = '4'", "a number"),
        ("max_epsilon = -1.0", "a number"),
        ("max_epsilon = true", "a number"),
        ("metrics = 'auc'", "a list of texts"),
        ("min_row = 5", "is not a setting"),
    ],
)
def test_a_malformed_rule_names_the_file(tmp_path, text, sentence):
    with pytest.raises(UsageError, match=sentence) as caught:
        rules(tmp_path, text)

    assert "site.toml" in str(caught.value)


def test_code_without_a_sandbox_where_the_site_forbids_it():
    with pytest.raises(SiteRefused, match=r"without a sandbox \(limits.no_sandbox\)"):
        SiteRules(no_sandbox=False).check_sandbox(sandboxed=False)
    SiteRules(no_sandbox=False).check_sandbox(sandboxed=True)
    SiteRules().check_sandbox(sandboxed=False)


def test_a_mode_that_is_not_allowed():
    with pytest.raises(SiteRefused, match=r"mode 'public' \(limits.modes\)"):
        SiteRules(modes=("secagg",)).check_train(mode=0, recipe=RECIPE)
    SiteRules(modes=("public",)).check_train(mode=0, recipe=RECIPE)


def test_a_recipe_that_is_not_on_the_list():
    with pytest.raises(SiteRefused, match=r"limits\.recipes"):
        SiteRules(recipes=(str(OTHER),)).check_train(mode=0, recipe=RECIPE)
    SiteRules(recipes=(str(RECIPE),)).check_train(mode=0, recipe=RECIPE)


def test_three_rows_are_too_few():
    site = SiteRules(min_rows=50)

    with pytest.raises(SiteRefused, match=r"3 rows.*at least 50"):
        site.check_rows(3)
    with pytest.raises(SiteRefused, match=r"limits\.min_rows"):
        site.check_commit(mode=0, recipe=RECIPE, num_samples=49, has_noise=False)
    site.check_commit(mode=0, recipe=RECIPE, num_samples=50, has_noise=False)


def test_a_metric_that_is_not_on_the_list():
    with pytest.raises(SiteRefused, match="no metric 'loss'"):
        SiteRules(metrics=("auc",)).check_metrics(["auc", "loss"])
    SiteRules(metrics=("auc",)).check_metrics(["auc"])
    with pytest.raises(SiteRefused, match="'auc'"):
        SiteRules(metrics=()).check_metrics(["auc"])


def test_no_noise_where_the_loss_is_limited():
    site = SiteRules(max_epsilon=4.0)

    with pytest.raises(SiteRefused, match="without noise"):
        site.check_commit(mode=0, recipe=RECIPE, num_samples=1, has_noise=False)
    site.check_commit(mode=0, recipe=RECIPE, num_samples=1, has_noise=True)


def test_a_delta_above_the_rule():
    with pytest.raises(SiteRefused, match=r"limits\.max_delta"):
        SiteRules(max_delta=1e-6).check_delta(1e-5)
    SiteRules(max_delta=1e-6).check_delta(1e-6)


@pytest.mark.parametrize(
    ("url", "allowed"),
    [
        ("https://rpc.example/key", True),
        ("https://RPC.example:8443/", True),
        ("http://exact.example:8899", True),
        ("http://exact.example:8900", False),
        ("https://other.example", False),
        ("https://rpc.example.evil.example", False),
        ("https://rpc.example@evil.example/", False),
        ("file:///srv/flair/heart", True),
        ("file:///srv/flair2", False),
        ("file:///srv/flair/../etc", False),
    ],
)
def test_hosts(url, allowed):
    site = SiteRules(hosts=("rpc.example", "exact.example:8899", "file:///srv/flair"))

    if allowed:
        site.check_url(url)
    else:
        with pytest.raises(SiteRefused, match=r"limits\.hosts"):
            site.check_url(url)


@pytest.mark.parametrize("hosts", [("rpc.example",), ("file:///srv",)])
def test_no_context_reaches_a_host_that_is_not_listed(hosts):
    profile = NetworkProfile(
        "clinic", "https://rpc.example", None, PROGRAM_ID, "file:///srv/store"
    )

    with pytest.raises(SiteRefused, match=r"limits\.hosts"):
        Context(profile, None, None, site=SiteRules(hosts=hosts))
    Context(profile, None, None, site=SiteRules(hosts=("rpc.example", "file:///srv")))


def test_no_context_asks_a_sponsor_that_is_not_listed():
    profile = NetworkProfile(
        "clinic", "https://rpc.example", None, PROGRAM_ID, "file:///srv/store"
    )
    listed = SiteRules(hosts=("rpc.example", "file:///srv"))

    with pytest.raises(SiteRefused, match=r"limits\.hosts"):
        Context(profile, None, None, site=listed, sponsor_url="https://pay.example")
    allowed = SiteRules(hosts=("rpc.example", "file:///srv", "pay.example"))
    Context(profile, None, None, site=allowed, sponsor_url="https://pay.example")


def test_a_rule_that_names_nobody_who_could_approve_is_refused(tmp_path):
    path = tmp_path / "site.toml"
    path.write_text("[limits]\nsecond_approver = []\n")

    with pytest.raises(UsageError, match="names nobody who could approve"):
        load_site_rules(path)
