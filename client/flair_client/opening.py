"""From settings to the context that porcelain functions get."""

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any, Final, cast

from flair_client.context import DEFAULT_MAX_EPSILON, Context
from flair_client.ids import Address
from flair_client.progress import NO_PROGRESS, Progress
from flair_client.repo_address import RepoAddress
from flair_client.settings import NetworkProfile, Settings
from flair_client.site_rules import SiteRules, site_rules_from

if TYPE_CHECKING:
    from flair_client.chain.client import ChainClient
    from flair_client.chain.signer import Signer
    from flair_client.store.base import Store
    from flair_client.store.served import Sender


# How long a command waits that goes on without the chain.
_HASTY_TIMEOUT_S: Final = 5


class _Unopened:
    """A chain that is opened when it is first asked: most readings never do.

    Its libraries take longer to load than a history takes to be read.
    """

    def __init__(self, open_it: "Callable[[], ChainClient]") -> None:
        self._open = open_it
        self._chain: ChainClient | None = None

    def __getattr__(self, name: str) -> Any:
        if self._chain is None:
            self._chain = self._open()
        return getattr(self._chain, name)

    def close(self) -> None:
        """Closes the connections, where there are any."""
        if self._chain is not None:
            self._chain.close()


def open_chain(
    profile: NetworkProfile,
    *,
    timeout_s: int,
    hasty: bool = False,
    proxy: str | None = None,
    ca_file: str | None = None,
) -> "ChainClient":
    """Prepares the connection to a network; asks nothing yet.

    With the first request it is checked that the cluster is the one that the profile
    pins.

    Args:
        profile: of the network.
        timeout_s: for one attempt.
        hasty: ask once and not long.
        proxy: on the way out.
        ca_file: certificates to believe servers by, besides the system's.
    """
    from flair_client.chain.client import ChainClient
    from flair_client.chain.rpc import Rpc
    from flair_client.chain.transport import Door, Patience

    patience = Patience(timeout_s=timeout_s)
    if hasty:
        seconds = min(timeout_s, _HASTY_TIMEOUT_S)
        patience = Patience(timeout_s=seconds, answer_s=seconds, attempts=1)
    rpc = Rpc(
        profile.rpc_url,
        genesis_hash=profile.genesis_hash,
        more_urls=profile.more_rpc_urls,
        door=Door(proxy, ca_file),
        priority_cap=profile.priority_cap,
        patience=patience,
    )
    return ChainClient(rpc, profile.program_id)


def open_context(
    settings: Settings,
    *,
    network: str | None = None,
    signer: bool | None = False,
    hasty: bool = False,
    store: str | None = None,
    progress: Progress = NO_PROGRESS,
) -> Context:
    """Opens chain, store and wallet as the settings say.

    Args:
        settings: from flags, environment and files.
        network: name of the profile, where an address names it.
        signer: whether a wallet is needed; None reads it when it is first asked for.
        hasty: whether the command goes on without the chain and does not wait long.
        store: URL of the store instead of the one that settings say.
        progress: where long work shows how far it is.

    Raises:
        NetworkUnknown: the network has no profile.
        WalletError: the wallet cannot be used.
        SiteRefused: the site does not talk to the network's hosts.
    """
    profile = settings.profile(network)
    store = store or _store_url(settings, profile)
    # Whoever keeps the profile's store keeps the one that is really in use.
    profile = replace(profile, store_url=store)
    wallet: Signer | None = None
    if signer is not False:
        wallet = _wallet(settings) if signer else _Unread(settings)
    timeout_s = settings.whole("rpc.timeout_s", 30)
    behalf = settings.text("contribute.on_behalf_of")
    values = {name: setting.value for name, setting in settings.values.items()}
    site = site_rules_from(values)
    return Context(
        network=profile,
        chain=cast(
            "ChainClient",
            _Unopened(
                partial(
                    open_chain,
                    profile,
                    timeout_s=timeout_s,
                    hasty=hasty,
                    proxy=settings.text("rpc.proxy"),
                    ca_file=settings.text("rpc.ca_file"),
                )
            ),
        ),
        remote=_remote(settings, store, site, wallet),
        signer=wallet,
        progress=progress,
        site=site,
        home=settings.home,
        max_epsilon=settings.number("privacy.max_epsilon", DEFAULT_MAX_EPSILON),
        on_behalf_of=None if behalf is None else Address.parse(behalf),
        sponsor_url=settings.text("sponsor.url"),
    )


def _remote(
    settings: Settings, url: str, site: SiteRules, wallet: "Signer | None"
) -> "Store":
    from flair_client.store.base import open_store

    named = settings.get("store.gateways")
    gateways = named if isinstance(named, tuple) else ()
    main = open_store(url, partial(_sender, settings, wallet))
    for gateway in gateways:
        site.check_url(gateway)
    # These are somebody else's wish: where the site does not want it, they are left.
    listed = settings.get("workspace.stores")
    if isinstance(listed, tuple):
        gateways += site.allowed_urls(one for one in listed if one not in gateways)
    if not gateways:
        return main
    from flair_client.store.gateways import with_gateways

    return with_gateways(main, gateways)


def _sender(settings: Settings, wallet: "Signer | None") -> "Sender | None":
    """In whose name blocks go to a store server, and by the role of which wallet."""
    if wallet is None:
        return None
    from flair_client.store.served import Sender

    behalf = settings.text("contribute.on_behalf_of")
    return Sender(wallet, None if behalf is None else Address.parse(behalf))


def _wallet(settings: Settings) -> "Signer":
    from flair_client.chain.signer import load_wallet

    return load_wallet(settings.wallet_path())


class _Unread:
    """A wallet whose file is read when it is first asked: mostly it never is."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings

    @property
    def address(self) -> Address:
        """As `Signer.address`."""
        return _wallet(self._settings).address

    def sign(self, message: bytes) -> bytes:
        """As `Signer.sign`."""
        return _wallet(self._settings).sign(message)


def _store_url(settings: Settings, profile: NetworkProfile) -> str:
    """The workspace's own store where the command is about its network, or else."""
    store = settings.text("workspace.store")
    repo = settings.text("workspace.repo")
    if repo is not None and RepoAddress.parse(repo).network != profile.name:
        return profile.store_url
    return store or profile.store_url
