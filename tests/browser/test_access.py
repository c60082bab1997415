"""Everybody can use it: axe finds nothing, a phone is enough, a keyboard too."""

import pytest
from axe_playwright_python.sync_playwright import Axe

from flair_client.porcelain.repo import repo_create
from flair_web.signing.registry import ACTIONS


def faults(person):
    """What axe finds, by rule, with the places."""
    found = Axe().run(person.page).response["violations"]
    return {one["id"]: [node["target"] for node in one["nodes"]] for one in found}


@pytest.mark.parametrize(
    ("scheme", "names"),
    [
        ("light", [*ACTIONS]),
        ("dark", ["policy_create", "invite_redeem", "join_request"]),
    ],
)
def test_axe_finds_nothing_on_the_pages_of_actions(people, scheme, names):
    reader = people("owner").sign_in()
    reader.page.emulate_media(color_scheme=scheme)
    found = {}

    for path in ["/actions/", *(f"/actions/{name}" for name in names)]:
        reader.go(path)
        reader.page.get_by_role("button", name="Sign out").wait_for()
        found[path] = faults(reader)

    assert {path: one for path, one in found.items() if one} == {}


@pytest.mark.parametrize("phone", [False, True])
def test_axe_finds_nothing_while_somebody_signs(world, people, phone):
    owner = people("owner", phone=phone)
    owner.go("/actions/")
    owner.page.locator("#wallet summary").click()
    menu = faults(owner)
    owner.page.get_by_role("button", name="Test wallet").click()
    owner.page.get_by_role("button", name="Sign out").wait_for()
    owner.open("repo_create", name=f"axe-{next(world.numbers)}")
    owner.plan()
    asked = faults(owner)
    owner.dialog.locator("summary").first.click()
    opened = faults(owner)
    owner.sign()
    owner.expect("Final: it cannot be undone.")

    assert [menu, asked, opened, faults(owner)] == [{}, {}, {}, {}]


def test_a_phone_shows_the_whole_dialog_and_nothing_beside_the_page(world, people):
    owner = people("owner", phone=True).sign_in()
    owner.open("repo_create", name=f"phone-{next(world.numbers)}")
    wide = "document.documentElement.scrollWidth - innerWidth"
    assert owner.page.evaluate(wide) <= 0

    owner.plan()
    button = owner.dialog.get_by_role("button", name="Sign", exact=True)
    box = button.bounding_box()

    assert owner.page.evaluate(wide) <= 0
    assert box["y"] + box["height"] <= 740
    assert box["height"] >= 44
    owner.sign()
    owner.expect("Final: it cannot be undone.")


def test_a_keyboard_is_enough(world, people):
    owner = people("owner").sign_in()
    repo = repo_create(
        world.place.context("owner"), f"keys-{next(world.numbers)}", points_per_merge=1
    ).repo
    owner.open("authority_offer", repo=f"{repo.creator}/{repo.name}")
    heir = str(world.place.context("heir").wallet.address)

    owner.page.get_by_label("To the wallet").focus()
    owner.page.keyboard.type(heir)
    owner.page.keyboard.press("Enter")
    owner.dialog.wait_for()
    owner.page.keyboard.press("Escape")
    owner.dialog.wait_for(state="detached")
    owner.page.keyboard.press("Enter")
    owner.dialog.wait_for()
    focused = owner.page.evaluate("document.activeElement.closest('dialog') !== null")

    assert focused
    owner.dialog.get_by_role("button", name="Sign", exact=True).press("Enter")
    owner.expect("Final: it cannot be undone.")
