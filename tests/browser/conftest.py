"""One localnet, one site and one browser for all of these tests."""

import os
import shutil
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parent
sys.path[:0] = [
    str(HERE),
    str(HERE.parent / "aggregator"),
    str(HERE.parent / "client" / "history"),
]
PROGRAMS = ("chromium", "chromium-browser", "chromium-headless-shell")


def chromium():
    """The browser's program, or None."""
    found = (shutil.which(name) for name in PROGRAMS)
    return next((one for one in found if one), None)


@pytest.fixture(scope="session")
def browser():
    """A headless Chromium of this machine."""
    program = chromium()
    if program is None:
        pytest.skip("no Chromium is installed: scripts/install-browser")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        flags = ["--no-sandbox"] if os.geteuid() == 0 else []
        browser = playwright.chromium.launch(executable_path=program, args=flags)
        yield browser
        browser.close()


@pytest.fixture(scope="session")
def world(browser, tmp_path_factory):
    """The localnet whose clock tests can put forward, and the site in front of it."""
    from aggregator_place import Place, clock_localnet
    from browser_world import World, running_site

    folder = tmp_path_factory.mktemp("browser")
    with clock_localnet(folder / "net") as net:
        place = Place(folder, net.url, net.genesis_hash, net.ahead_ms)
        place.context("owner")
        with running_site(place) as url:
            yield World(place, browser, url)
        place.close()


@pytest.fixture
def people(world):
    """Makes people with a browser and a wallet each; closes their browsers."""
    opened = []

    def person(*names, **knobs):
        opened.append(world.person(*names, **knobs))
        return opened[-1]

    yield person
    for one in opened:
        one.close()
