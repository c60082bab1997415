"""Blocks of the store as pages want them: the value, or in words why there is none.

Every read checks the digest and is bounded. What is missing is never hidden: it comes
back as `Unread`, and pages show its words.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final, Literal, TypeVar

from flair_client.encoding import decode_manifest, decode_recipe, weights_digest
from flair_client.errors import (
    BlockMissing,
    DigestMismatch,
    FlairError,
    ObjectError,
    StoreError,
)
from flair_client.history.verify_update import read_commit
from flair_client.ids import Cid, CommitId, Digest
from flair_client.limits import MAX_OBJECT_SIZE, MAX_RAW_BLOCK_SIZE, MAX_RECIPE_SIZE
from flair_client.objects import Commit, Manifest
from flair_client.porcelain.show import read_report
from flair_client.store.base import Store
from flair_web.kept import Kept

T = TypeVar("T")
State = Literal["missing", "invalid", "away"]
_CARD: Final = "CARD.md"
# Entries of manifests that stay decoded, all together.
_decoded: Final = Kept(200_000)


@dataclass(frozen=True, slots=True)
class Unread:
    """Why something of the store is not shown.

    Attributes:
        state: `missing` where no store has it, `invalid` where its bytes are not what
            they must be, `away` where the store does not answer.
        words: the same for people.
    """

    state: State
    words: str


@dataclass(frozen=True, slots=True)
class ModelFacts:
    """The size of a model.

    Attributes:
        digest: names the state, however it is packed.
        n_bytes: of all tensors, as downloaded.
    """

    digest: Digest
    n_tensors: int
    n_values: int
    n_bytes: int


def reading(make: Callable[[], T]) -> T | Unread:
    """Gives what `make` reads, or why it cannot be read."""
    try:
        return make()
    except (BlockMissing, DigestMismatch) as exc:
        return Unread("missing", f"no store has it: {exc}")
    except ObjectError as exc:
        return Unread("invalid", str(exc))
    except StoreError as exc:
        return Unread("away", f"the store does not answer: {exc}")
    except FlairError as exc:
        return Unread("invalid", str(exc))


def commit_at(store: Store, commit_id: CommitId) -> Commit | Unread:
    """Gives a commit whose author signed it."""
    return reading(lambda: read_commit(store, commit_id))


def manifest_at(store: Store, cid: Cid) -> Manifest | Unread:
    """Gives what tensors a model has; none of their values is read."""

    def make() -> Manifest:
        return decode_manifest(store.get(cid, max_size=MAX_OBJECT_SIZE))

    return reading(
        lambda: _decoded.get(("manifest", cid), make, lambda one: 1 + len(one.tensors))
    )


def model_facts(manifest: Manifest) -> ModelFacts:
    """Gives how large a model is."""
    return ModelFacts(
        weights_digest(manifest),
        len(manifest.tensors),
        sum(one.n_values for one in manifest.tensors),
        sum(one.n_bytes for one in manifest.tensors),
    )


def facts_at(store: Store, cid: Cid) -> ModelFacts | Unread:
    """Gives how large the model of a manifest is."""
    found = manifest_at(store, cid)
    if isinstance(found, Unread):
        return found
    manifest = found
    return _decoded.get(("facts", cid), lambda: model_facts(manifest), lambda _: 1)


def card_at(store: Store, recipe: Cid) -> str | Unread | None:
    """Gives the text of a recipe's card; None where it has none."""

    def make() -> str | None:
        block = store.get(recipe, max_size=MAX_RECIPE_SIZE)
        for file in decode_recipe(block).files:
            if file.path == _CARD:
                raw = store.get(file.cid, max_size=MAX_RAW_BLOCK_SIZE)
                return raw.decode("utf-8", errors="replace")
        return None

    return reading(make)


def report_at(store: Store, cid: Cid) -> dict[str, Any] | Unread:
    """Gives a merge's report, as its author wrote it: nothing in it is believed."""
    return reading(lambda: read_report(store, cid))
