"""Wallets that refuse, wait, lie, or lack something; and people without one."""

import pytest

from flair_client.porcelain.repo import repo_create


@pytest.fixture
def text(world):
    """An empty repository of the owner's for one test."""
    ctx = world.place.context("owner")
    repo = repo_create(ctx, f"own-{next(world.numbers)}", points_per_merge=10).repo
    return f"{repo.creator}/{repo.name}"


@pytest.fixture
def heir(world):
    return str(world.place.context("heir").wallet.address)


def seq(world, text):
    """How many events a repository has had."""
    ctx = world.place.context("owner")
    return {one.name: one for one in ctx.chain.repos()}[
        text.partition("/")[2]
    ].event_seq


def offer(person, text, to):
    person.open("authority_offer", repo=text)
    person.fill(wallet=to)
    person.plan()


def test_a_wallet_that_refuses_sends_nothing(world, people, text, heir):
    owner = people("owner").sign_in()
    offer(owner, text, heir)

    owner.knob("refuse", value=True)
    owner.sign()
    owner.expect("User rejected the request.")

    assert seq(world, text) == 1
    owner.knob("refuse", value=False)
    owner.sign()
    owner.expect("Final: it cannot be undone.")
    assert seq(world, text) == 2


def test_a_signature_that_comes_too_late_costs_nothing_and_is_asked_for_anew(
    world, people, text, heir
):
    owner = people("owner").sign_in()
    offer(owner, text, heir)
    owner.knob("late", value=True)
    owner.sign()
    owner.expect("Your wallet asks you.")

    world.place.wait(300)
    owner.page.evaluate("flairTestWallet.release()")
    owner.expect("Expired, nothing was charged.")
    assert seq(world, text) == 1
    owner.sign()
    owner.expect("Final: it cannot be undone.")

    assert seq(world, text) == 2


def test_a_signature_that_comes_after_a_change_of_mind_is_not_sent(
    world, people, text, heir
):
    owner = people("owner").sign_in()
    offer(owner, text, heir)
    owner.knob("late", value=True)
    owner.sign()
    owner.expect("Your wallet asks you.")

    owner.dialog.get_by_role("button", name="Cancel").click()
    owner.dialog.wait_for(state="detached")
    owner.page.evaluate("flairTestWallet.release()")
    owner.page.wait_for_function("flairTestWallet.signed === 1")
    owner.act("authority_offer", {"wallet": heir}, repo=text)

    assert seq(world, text) == 2
    assert sum(one.endswith("/send") for one in owner.asked) == 1


def test_another_account_does_not_sign_for_the_one_that_signed_in(people, text):
    owner = people("owner", "heir").sign_in()
    owner.open("authority_offer", repo=text)

    owner.page.get_by_role("button", name="Sign out").wait_for()
    owner.page.wait_for_function("flairTestWallet.connected()")
    owner.page.evaluate("flairTestWallet.switchTo(1)")
    owner.page.get_by_text("Your wallet shows another account now").wait_for()
    told = owner.press_refused()
    owner.page.get_by_role("button", name="Sign in again").click()
    owner.page.get_by_text(f"Signed in as {owner.addresses[1]}.").wait_for()

    assert "another account than you signed in with" in told


def test_a_wallet_without_sign_in_signs_a_text(people):
    owner = people("owner", missing=["solana:signIn"]).sign_in()

    (signed,) = owner.page.evaluate("flairTestWallet.texts")

    assert signed.startswith(owner.world.url.removeprefix("http://"))
    assert owner.address in signed


def test_a_wallet_that_signs_no_texts_cannot_sign_in(people):
    owner = people("owner", missing=["solana:signIn", "solana:signMessage"])
    owner.go("/actions/")

    owner.press_sign_in()

    owner.page.get_by_text("signs no texts, so it cannot sign in").wait_for()


def test_a_wallet_that_cannot_sign_transactions_says_why(people):
    owner = people("owner", missing=["solana:signTransaction"])
    owner.go("/actions/")
    owner.page.locator("#wallet summary").click()

    shown = owner.page.get_by_role("button", name="Test wallet")

    assert shown.is_disabled()
    assert "cannot sign transactions" in shown.inner_text()


@pytest.mark.parametrize(
    ("knobs", "words"),
    [
        ({"chains": ["solana:mainnet"]}, "does not know the network solana:localnet"),
        ({"versions": [0]}, "does not sign legacy transactions"),
    ],
)
def test_a_wallet_for_another_network_or_version_says_why(people, knobs, words):
    owner = people("owner", **knobs)
    owner.go("/actions/")
    owner.page.locator("#wallet summary").click()

    shown = owner.page.get_by_role("button", name="Test wallet")

    assert shown.is_disabled()
    assert words in shown.inner_text()


def test_a_wallet_whose_name_is_markup_shows_it_as_text(people):
    evil = "<img src=x onerror=alert(1)>"
    owner = people("owner", name=evil)
    owner.go("/actions/")

    owner.press_sign_in(evil)

    owner.page.get_by_role("button", name="Sign out").wait_for()
    assert owner.page.locator("#wallet img").count() == 0


def test_a_wallet_with_legacy_transactions_alone_is_enough(world, people, text, heir):
    owner = people("owner", versions=["legacy"]).sign_in()

    owner.act("authority_offer", {"wallet": heir}, repo=text)

    assert seq(world, text) == 2


def test_a_fee_that_the_wallet_adds_is_accepted(world, people, text, heir):
    owner = people("owner").sign_in()
    offer(owner, text, heir)

    owner.knob("add", "fee")
    owner.sign()
    owner.expect("Final: it cannot be undone.")

    assert seq(world, text) == 2


def test_a_transfer_that_the_wallet_adds_is_refused(world, people, text, heir):
    owner = people("owner").sign_in()
    offer(owner, text, heir)

    owner.knob("add", "transfer")
    owner.sign()
    owner.expect("the wallet added a call of 11111111111111111111111111111111")

    assert seq(world, text) == 1


def test_a_sign_in_for_another_site_is_refused(people):
    owner = people("owner")
    owner.go("/actions/")
    owner.knob("domain", "evil.example")

    owner.press_sign_in()

    owner.page.get_by_text("the signed text is not the one").wait_for()


@pytest.mark.parametrize("lie", ["other-wallet", "other-repository", "other-account"])
def test_a_site_that_lies_is_caught_before_the_wallet_is_asked(
    world, people, text, heir, lie
):
    """What the site's answer says, and what it would have signed, are exchanged."""
    owner = people("owner").sign_in()
    other = str(world.place.context("nurse").wallet.address)
    asked = {"wallet": heir, "repo": text}
    repo = repo_create(world.place.context("owner"), f"lie-{lie}", points_per_merge=1)
    swapped = {
        "other-wallet": {"wallet": other},
        "other-repository": {"repo": f"{repo.repo.creator}/{repo.repo.name}"},
        "other-account": {},
    }[lie]

    def answer(route):
        told = route.fetch(post_data={"fields": asked | swapped}).json()
        if lie == "other-account":
            told["instructions"][0]["accounts"][1][1] = other
        route.fulfill(json=told)

    owner.page.route("**/actions/authority_offer/plan", answer)
    offer(owner, text, heir)

    owner.expect("Not signed: what your wallet would sign is not what you asked for.")
    assert (
        owner.page.evaluate("flairTestWallet.asked['solana:signTransaction']") is None
    )
    assert owner.dialog.get_by_role("button").count() == 1
    assert seq(world, text) == 1


def test_without_a_wallet_everything_can_be_read(people):
    reader = people()
    reader.go("/actions/")
    reader.page.locator("#wallet summary").click()
    reader.page.get_by_text("No Solana wallet is in this browser.").wait_for()
    assert reader.context.cookies() == [], "who only reads is not remembered"

    told = reader.refused("repo_create", name="lungs")

    assert told == "Sign in with your wallet first."


def test_a_wallet_that_is_signed_out_is_forgotten(people):
    owner = people("owner").sign_in()

    owner.page.get_by_role("button", name="Sign out").click()
    owner.page.get_by_text("Signed out.").wait_for()
    told = owner.refused("repo_create", name="lungs")

    assert told == "Sign in with your wallet first."
    assert owner.page.evaluate("localStorage.length") == 0


def test_a_plan_that_waits_gets_a_new_blockhash_by_itself(world, people, text, heir):
    owner = people("owner").sign_in()
    owner.page.clock.install()
    offer(owner, text, heir)
    owner.expect("Can be sent for about")

    with owner.page.expect_response("**/refresh") as renewed:
        owner.page.clock.fast_forward(70_000)
    owner.expect("Can be sent for about")

    assert renewed.value.ok
    assert (
        owner.page.evaluate("flairTestWallet.asked['solana:signTransaction']") is None
    )
