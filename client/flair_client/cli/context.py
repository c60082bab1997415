"""From settings to the context that porcelain functions get."""

from dataclasses import replace
from typing import TYPE_CHECKING

from flair_client.context import Context
from flair_client.progress import NO_PROGRESS, Progress
from flair_client.repo_address import RepoAddress
from flair_client.settings import NetworkProfile, Settings

if TYPE_CHECKING:
    from flair_client.chain.client import ChainClient


def open_chain(profile: NetworkProfile, *, timeout_s: int) -> "ChainClient":
    """Prepares the connection to a network; asks nothing yet.

    With the first request it is checked that the cluster is the one that the profile
    pins.
    """
    from flair_client.chain.client import ChainClient
    from flair_client.chain.rpc import Rpc

    rpc = Rpc(profile.rpc_url, genesis_hash=profile.genesis_hash, timeout_s=timeout_s)
    return ChainClient(rpc, profile.program_id)


def open_context(
    settings: Settings,
    *,
    network: str | None = None,
    signer: bool = False,
    progress: Progress = NO_PROGRESS,
) -> Context:
    """Opens chain, store and wallet as the settings say.

    Args:
        settings: from flags, environment and files.
        network: name of the profile, where an address names it.
        signer: whether a wallet is needed.
        progress: where long work shows how far it is.

    Raises:
        NetworkUnknown: the network has no profile.
        WalletError: the wallet cannot be used.
    """
    from flair_client.chain.signer import load_wallet
    from flair_client.store.base import open_store

    profile = settings.profile(network)
    store = _store_url(settings, profile)
    # Whoever keeps the profile's store keeps the one that is really in use.
    profile = replace(profile, store_url=store)
    wallet = load_wallet(settings.wallet_path()) if signer else None
    return Context(
        network=profile,
        chain=open_chain(profile, timeout_s=settings.whole("rpc.timeout_s", 30)),
        remote=open_store(store),
        signer=wallet,
        progress=progress,
    )


def _store_url(settings: Settings, profile: NetworkProfile) -> str:
    """The workspace's own store where the command is about its network, or else."""
    store = settings.text("workspace.store")
    repo = settings.text("workspace.repo")
    if repo is not None and RepoAddress.parse(repo).network != profile.name:
        return profile.store_url
    return store or profile.store_url
