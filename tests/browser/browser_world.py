"""The site on a localnet, and people with a browser and a wallet who use it."""

import contextlib
import itertools
import json
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from aggregator_place import Place
from werkzeug.serving import make_server

from flair_client.chain.signer import load_wallet
from flair_indexer.db import open_database
from flair_indexer.schema import migrate
from flair_web.app import create_app
from flair_web.settings import WebSettings

WALLET = Path(__file__).parents[2] / "web" / "testing" / "wallet.js"
# The first test of a run waits for a browser and a localnet that are just starting.
PATIENCE_MS = 60_000


@contextlib.contextmanager
def running_site(place: Place) -> Iterator[str]:
    """Serves the site in a thread, for a localnet's chain and store."""
    database = open_database(f"sqlite:///{place.folder / 'site.sqlite'}")
    migrate(database)
    server = make_server("127.0.0.1", 0, lambda *_: [], threaded=True)
    url = f"http://127.0.0.1:{server.server_port}"
    settings = WebSettings(
        database_url="",
        store_url=place.profile.store_url,
        rpc_url=place.url,
        genesis_hash=place.genesis_hash,
        origin=url,
        rate="",
    )
    app = server.app = create_app(settings, database=database)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield url
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
        app.extensions["flair"].chain.close()
        database.close()


@dataclass
class World:
    """Everything that the tests share.

    Attributes:
        done: what the page says when an action has taken effect.
    """

    place: Place
    browser: Any
    url: str
    models: dict[str, Any] = field(default_factory=dict)
    requests: list[str] = field(default_factory=list)
    done: str = "Final: it cannot be undone."
    numbers: Iterator[int] = field(default_factory=itertools.count)

    def model(self, name: str, **policy: Any) -> Any:
        """A published repository of this name, made once."""
        if name not in self.models:
            self.models[name] = self.place.publish(name, statistics=False, **policy)
        return self.models[name]

    def person(self, *names: str, phone: bool = False, **knobs: Any) -> "Person":
        """Somebody whose wallet has the keys of these names, if any."""
        size = (
            {"width": 360, "height": 740} if phone else {"width": 1200, "height": 900}
        )
        context = self.browser.new_context(viewport=size, reduced_motion="reduce")
        context.set_default_timeout(PATIENCE_MS)
        addresses = []
        seeds = []
        for name in names:
            self.place.context(name)
            signer = load_wallet(self.place.wallet(name))
            addresses.append(str(signer.address))
            seeds.append(signer.secret_bytes()[:32].hex())
        if names:
            context.add_init_script(path=WALLET)
            given = json.dumps({"seeds": seeds} | knobs)
            context.add_init_script(f"flairTestWallet.install({given})")
        context.on("request", lambda one: self.requests.append(_whole(one)))
        return Person(self, context, context.new_page(), addresses)


def _whole(request: Any) -> str:
    return f"{request.url} {request.post_data or ''}"


@dataclass
class Person:
    """A browser with a wallet in it; the page keeps what went wrong."""

    world: World
    context: Any
    page: Any
    addresses: list[str]
    faults: list[str] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.page.on("request", lambda one: self.asked.append(one.url))
        self.page.on("pageerror", lambda error: self.faults.append(str(error)))
        self.page.on("console", self._told)

    def _told(self, message: Any) -> None:
        if message.type == "error" and "Failed to load resource" not in message.text:
            self.faults.append(message.text)

    @property
    def address(self) -> str:
        return self.addresses[0]

    @property
    def dialog(self) -> Any:
        return self.page.locator("dialog.signing")

    def close(self) -> None:
        self.context.close()
        assert self.faults == []

    def go(self, path: str, **query: Any) -> None:
        text = f"?{urlencode(query)}" if query else ""
        self.page.goto(f"{self.world.url}{path}{text}")

    def knob(self, name: str, value: Any) -> None:
        self.page.evaluate(
            "([n, v]) => { flairTestWallet.knobs[n] = v }", [name, value]
        )

    def sign_in(self) -> "Person":
        self.go("/actions/")
        self.press_sign_in()
        self.page.get_by_role("button", name="Sign out").wait_for()
        return self

    def press_sign_in(self, wallet: str = "Test wallet") -> None:
        self.page.locator("#wallet summary").click()
        self.page.get_by_role("button", name=wallet).click()

    def open(self, action: str, **fields: Any) -> None:
        """Opens an action's page with what a button there would know."""
        self.go(f"/actions/{action}", **fields)

    def fill(self, **fields: Any) -> None:
        """Types and chooses."""
        for name, value in fields.items():
            place = self.page.locator(f"[name={name}]")
            if place.evaluate("one => one.tagName") == "SELECT":
                place.select_option(str(value))
            else:
                place.fill(str(value))

    def plan(self) -> Any:
        """Presses the form's button; gives the dialog."""
        self.page.locator("form.action button[type=submit]").click()
        self.dialog.wait_for()
        return self.dialog

    def sign(self, words: str = "Sign") -> None:
        self.dialog.get_by_role("button", name=words, exact=True).click()

    def expect(self, words: str) -> None:
        """Waits until the dialog says this."""
        self.dialog.get_by_text(words).first.wait_for()

    def act(
        self, action: str, _typed: dict[str, Any] | None = None, **known: Any
    ) -> str:
        """Does an action from the page to the final transaction; gives the plan."""
        self.open(action, **known)
        self.fill(**(_typed or {}))
        shown = self.plan().inner_text()
        self.sign()
        self.expect(self.world.done)
        return shown

    def revert(self, **known: Any) -> str:
        """Takes a merge back with its two signatures; gives what was shown first."""
        self.open("revert", **known)
        shown = self.plan().inner_text()
        self.sign("Sign the commit")
        self.expect("Head after")
        self.sign()
        self.expect("Final: it cannot be undone.")
        return shown

    def refused(self, action: str, **known: Any) -> str:
        """Tries an action that the site refuses; gives its words."""
        self.open(action, **known)
        return self.press_refused()

    def press_refused(self) -> str:
        """Presses the form's button; gives what is said beneath it."""
        state = self.page.locator("form.action .signing-state")
        self.page.locator("form.action button[type=submit]").click()
        asking = "Asking the site what is to be signed."
        self.page.wait_for_function(
            "([one, asking]) => one.textContent && one.textContent !== asking",
            arg=[state.element_handle(), asking],
        )
        return str(state.inner_text())
