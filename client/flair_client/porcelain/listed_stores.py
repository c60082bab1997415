"""Stores that a repository lists: read where a user's own store has not a block.

They stand in the recipe (`[recipe] stores`), so that whoever moves the head says where
its blocks are, and everybody who trusts the recipe has seen it. They are only read, as
gateways are: each block is checked.
"""

from dataclasses import replace

from flair_client.config_file import read_config, write_config
from flair_client.context import Context
from flair_client.encoding import decode_recipe
from flair_client.errors import ObjectError, StoreError
from flair_client.ids import CommitId
from flair_client.porcelain.checkout import recipe_at
from flair_client.store.base import Store
from flair_client.store.gateways import FallbackStore, with_gateways
from flair_client.training.recipe import RECIPE_FILE, parse_recipe
from flair_client.workspace import Workspace


def listed_stores(store: Store, head: CommitId) -> tuple[str, ...]:
    """Gives the URLs that the recipe in force at a commit lists; none without it."""
    try:
        recipe = decode_recipe(store.get(recipe_at(store, head)))
        # Its other files may be what has to be read from there.
        texts = [one.cid for one in recipe.files if one.path == RECIPE_FILE]
        return parse_recipe(store.get(texts[0])).stores if texts else ()
    except (StoreError, ObjectError):
        return ()


def keep_listed(workspace: Workspace, urls: tuple[str, ...]) -> None:
    """Writes down what later commands read from as well."""
    path = workspace.state_folder / "config"
    if read_config(path).get("workspace.stores", ()) != urls:
        write_config(path, {"workspace.stores": urls or None})


def reading_listed(ctx: Context, head: CommitId) -> Context:
    """The same, reading also from the stores that a head lists."""
    urls = ctx.site.allowed_urls(listed_stores(ctx.remote, head))
    if not urls:
        return ctx
    if isinstance(ctx.remote, FallbackStore):
        ctx.remote.gateways.add(urls)
        return ctx
    return replace(ctx, remote=with_gateways(ctx.remote, urls))


def complaints_of(ctx: Context) -> tuple[str, ...]:
    """Names stores and gateways that lied, a sentence each."""
    remote = ctx.remote
    return remote.complaints() if isinstance(remote, FallbackStore) else ()
