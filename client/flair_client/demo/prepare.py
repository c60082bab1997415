"""What is there before the demo's first round: folder, data, wallets, the model."""

import shutil
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Final

import numpy as np

from flair_client.chain.accounts import Scope
from flair_client.chain.pdas import PROGRAM_ID
from flair_client.chain.signer import create_wallet, load_wallet
from flair_client.config_file import write_config, write_text
from flair_client.context import Context
from flair_client.demo.chain import DemoChain
from flair_client.demo.datasets import Dataset, write_csv
from flair_client.demo.site import make_context
from flair_client.demo.sites import wallet_path
from flair_client.demo.traffic import CountingStore
from flair_client.errors import UsageError
from flair_client.ids import Address
from flair_client.porcelain.init import init
from flair_client.porcelain.publish import describe_root, publish_root
from flair_client.porcelain.repo_publish import repo_publish
from flair_client.porcelain.role import role_grant
from flair_client.repo_address import RepoAddress
from flair_client.settings import NetworkProfile
from flair_client.store.base import open_store
from flair_client.training.recipe import (
    DEFAULT_ROLES,
    LOGISTIC_REGRESSION,
    TrainingRecipe,
    recipe_text,
)
from flair_client.workspace import CARD_FILE, RECIPE_FILE

MARKER: Final = ".flair-demo"
OWNER: Final = "owner"
AGGREGATOR: Final = "aggregator"
_LAMPORTS: Final = 10**10
# Chosen by splits of the training rows alone; see docs/commands/demo.md.
_TRAINING: Final = {"epochs": 10, "learning_rate": 0.05, "batch_size": 16, "l2": 0.01}
# 2^-14 a step; the longest update of either data set has a length below 6.
_POLICY: Final = {
    "contribute": "invited",
    "min_updates": 4,
    "max_updates": 4,
    "scale_exp": -14,
    "norm_bound": 8.0,
    "round_length": "1h",
    "merge_grace": "1h",
}


def make_recipe(dataset: Dataset) -> TrainingRecipe:
    """The recipe that the owner publishes: what is trained, on which columns, how."""
    return TrainingRecipe(
        model=LOGISTIC_REGRESSION,
        columns=dataset.columns,
        target=dataset.target,
        statistics=True,
        statistics_min_rows=10,
        seed=0,
        roles=DEFAULT_ROLES,
        metrics=(),
        policy=_POLICY,
        **_TRAINING,  # type: ignore[arg-type]
    )


def card_text(dataset: Dataset) -> str:
    """The card that the owner publishes with the model."""
    return f"""---
license: cc-by-4.0
---
# {dataset.title}

A logistic regression that four hospitals train together. Their rows stay where they
are.

## Intended use

To show how Flair works. Not for decisions about patients.

## Data

{dataset.source}. Predicted is `{dataset.target}` from {len(dataset.columns)} columns.

## Limits

Small, old and public data: every single update can be read by everyone.
"""


def check_folder(folder: Path) -> None:
    """Refuses a folder that holds anything but an earlier demo.

    Raises:
        UsageError: it does.
    """
    if folder.exists() and any(folder.iterdir()) and not (folder / MARKER).is_file():
        raise UsageError(f"{folder} is not empty, and no earlier demo made it")


def prepare_folder(folder: Path) -> None:
    """Makes the demo's folder; what an earlier demo left in it goes.

    Raises:
        UsageError: it holds anything else.
    """
    check_folder(folder)
    if folder.exists():
        shutil.rmtree(folder)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / MARKER).write_text("made by `flair demo`, which deletes it again\n")


def write_data(folder: Path, dataset: Dataset) -> None:
    """Writes each hospital's rows, all of them together, and all test rows."""
    folder.mkdir()
    for hospital in dataset.hospitals:
        write_csv(folder / f"{hospital.name}.csv", dataset, hospital.train)
    hospitals = dataset.hospitals
    write_csv(
        folder / "pooled.csv", dataset, np.concatenate([h.train for h in hospitals])
    )
    write_csv(folder / "test.csv", dataset, np.concatenate([h.test for h in hospitals]))


def write_home(
    folder: Path, chain: DemoChain, store_url: str | None = None
) -> NetworkProfile:
    """Writes the configuration that `flair --home FOLDER/home` reads, also later.

    Args:
        folder: the demo's.
        chain: where all meet.
        store_url: of the shared store; without it a folder beside the chain.
    """
    store = store_url or (chain.folder.absolute() / "blocks").as_uri()
    write_config(
        folder / "home" / "config.toml",
        {
            "core.network": chain.name,
            f"network.{chain.name}.url": chain.url,
            f"network.{chain.name}.genesis_hash": chain.genesis_hash,
            f"network.{chain.name}.store": store,
            f"network.{chain.name}.ws_url": chain.ws_url,
            "core.wallet": OWNER,
        },
    )
    return NetworkProfile(chain.name, chain.url, chain.genesis_hash, PROGRAM_ID, store)


def enter(folder: Path, network: NetworkProfile, names: Sequence[str]) -> Context:
    """Makes a wallet with money for everybody; gives the owner's context."""
    addresses = [create_wallet(wallet_path(folder, name)).address for name in names]
    store = CountingStore(open_store(network.store_url))
    owner = make_context(network, wallet_path(folder, OWNER), store)
    waiting = [owner.chain.rpc.request_airdrop(a, _LAMPORTS) for a in addresses]
    for signature in waiting:
        owner.chain.wait_for(signature)
    return owner


def publish_model(
    folder: Path,
    owner: Context,
    texts: tuple[TrainingRecipe, str],
    names: Sequence[str],
) -> RepoAddress:
    """Publishes the model; the hospitals may contribute, the aggregator may merge.

    Args:
        folder: the demo's.
        owner: whose model it is.
        texts: recipe and card.
        names: of the hospitals.
    """
    model = folder / OWNER
    recipe, card = texts
    write_text(model / RECIPE_FILE, recipe_text(recipe))
    write_text(model / CARD_FILE, card)
    init(model)
    published = repo_publish(
        owner,
        "demo",
        describe_root(model),
        partial(publish_root, owner, model),
        points_per_merge=1_000_000,
    )
    for name in names:
        role_grant(owner, published.repo, address_of(folder, name), Scope.CONTRIBUTE)
    bot = address_of(folder, AGGREGATOR)
    role_grant(owner, published.repo, bot, Scope.MERGE)
    return published.repo


def address_of(folder: Path, name: str) -> Address:
    """Gives a participant's wallet's address."""
    return load_wallet(wallet_path(folder, name)).address
