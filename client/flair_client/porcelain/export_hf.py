"""A commit as a folder in the layout of Hugging Face: card, weights, origin."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from flair_client.config_file import write_text
from flair_client.context import Context
from flair_client.encoding import weights_digest
from flair_client.errors import OutputExists
from flair_client.history.graph import read_commit
from flair_client.ids import CommitId, Digest
from flair_client.objects import Commit, Manifest
from flair_client.porcelain.checkout import (
    blocks_of,
    manifest_of,
    recipe_at,
    recipe_files,
)
from flair_client.porcelain.refs import resolve, verified_commits
from flair_client.repo_address import RepoAddress
from flair_client.weights import digest_of_file, export_weights
from flair_client.weights.exporting import header_of
from flair_client.weights.replacing import naming_path
from flair_client.weights.safetensors_file import build_header
from flair_client.workspace import CARD_FILE, Workspace

WEIGHTS: Final = "model.safetensors"
CONFIG: Final = "config.json"
README: Final = "README.md"
_TAGS: Final = ("flair", "federated-learning")
_FENCE: Final = "---"
_UNSAFE: Final = re.compile(r"[^A-Za-z0-9_. -]")
_KEY: Final = re.compile(r"([A-Za-z_][A-Za-z0-9_-]*)\s*:")


@dataclass(frozen=True, slots=True)
class HfExported:
    """A folder that can be uploaded to a model hub.

    Attributes:
        files: names in the folder.
        n_bytes: of the weights.
        sha256: of the file of weights.
        verified: whether the commit was found right on this machine.
    """

    commit: CommitId
    folder: Path
    files: tuple[str, ...]
    n_bytes: int
    sha256: Digest
    verified: bool


def export_hf(
    ctx: Context,
    workspace: Workspace,
    folder: Path,
    ref: str | None = None,
    *,
    replace: bool = False,
) -> HfExported:
    """Writes card, weights and origin of a commit into a folder.

    Args:
        ctx: fetches blocks that are not here.
        workspace: a clone.
        folder: made where it is not there; other files in it stay.
        ref: a commit; without one that of HEAD.
        replace: whether files that are there may be replaced.

    Raises:
        OutputExists: one of the files is there and may not be replaced.
        RefUnknown: no such commit.
        UsageError: the commit is an update, or a file cannot be written.
        BlockMissing, DigestMismatch, ObjectInvalid: blocks are not what they must be.
    """
    store = blocks_of(ctx, workspace)
    commit_id = resolve(workspace, store, ref)
    names = (README, CONFIG, WEIGHTS)
    for name in names:
        if (folder / name).exists() and not replace:
            raise OutputExists(f"{folder / name} exists already")
    manifest = manifest_of(store, commit_id)
    commit = read_commit(store, commit_id)
    card = recipe_files(store, recipe_at(store, commit_id)).get(CARD_FILE, b"")
    source = header_of(manifest, store)
    # What transformers looks for before it opens a file.
    metadata = {**source.metadata, "format": "pt"}
    header = build_header(
        ((one.name, one.dtype, one.shape) for one in manifest.tensors), metadata
    )
    repo = workspace.repo()
    config = _config(repo, commit_id, commit, manifest)
    path = folder / WEIGHTS
    with naming_path(folder):
        folder.mkdir(parents=True, exist_ok=True)
        export_weights(manifest, store, path, header=header, progress=ctx.progress)
        write_text(folder / CONFIG, json.dumps(config, indent=2) + "\n")
        digest = digest_of_file(path)
        text = card.decode("utf-8", "replace")
        write_text(folder / README, _readme(text, repo, commit_id, commit, digest))
    return HfExported(
        commit_id,
        folder,
        names,
        path.stat().st_size,
        digest,
        commit_id in verified_commits(workspace),
    )


def _config(
    repo: RepoAddress, commit_id: CommitId, commit: Commit, manifest: Manifest
) -> dict[str, Any]:
    origin: dict[str, Any] = {
        "repo": str(repo.at(None)),
        "branch": commit.branch,
        "commit": str(commit_id),
        "kind": commit.kind.value,
        "round_index": commit.round_index,
        "weights_digest": str(weights_digest(manifest)),
    }
    roles = {entry.name: entry.role.value for entry in manifest.tensors}
    return {"flair": {**origin, "roles": roles}}


def _readme(
    card: str,
    repo: RepoAddress,
    commit_id: CommitId,
    commit: Commit,
    digest: Digest,
) -> str:
    front, body = split_front_matter(card)
    address = repo.at(str(commit_id))
    lines = [*merged_front_matter(front, {"tags": _TAGS}), "", body.strip(), ""]
    n_merged = None if commit.strategy is None else len(commit.strategy.weights)
    rows = [
        ("repository", f"`{repo.at(None)}`"),
        ("commit", f"`{commit_id}` ({commit.kind.value} on `{commit.branch}`)"),
        ("models in it" if commit.merges_models else "updates in it", n_merged),
        (f"sha256 of `{WEIGHTS}`", f"`{digest}`"),
    ]
    for name, value in (commit.metrics or {}).items():
        # Whoever signed the commit chose the name.
        rows.append((_UNSAFE.sub("_", name), f"{value:.6g}"))
    lines += ["## Where this comes from", "", "| | |", "|---|---|"]
    lines += [f"| {name} | {value} |" for name, value in rows if value is not None]
    lines += [
        "",
        "Whoever has the repository's address can check every step that led here:",
        "",
        "```sh",
        f"flair clone {address}",
        "flair verify",
        "```",
        "",
    ]
    return "\n".join(lines)


def split_front_matter(card: str) -> tuple[list[str], str]:
    """The lines between two fences at the start of a card, and the rest of it."""
    lines = card.split("\n")
    if lines and lines[0].rstrip() == _FENCE:
        for at, line in enumerate(lines[1:], start=1):
            if line.rstrip() == _FENCE:
                return lines[1:at], "\n".join(lines[at + 1 :])
    return [], card


def merged_front_matter(
    front: list[str], fields: Mapping[str, tuple[str, ...]]
) -> list[str]:
    """The card's own lines, and behind them the fields that it does not have."""
    own = {found[1] for found in map(_KEY.match, front) if found is not None}
    lines = [_FENCE, *front]
    for name, values in fields.items():
        if name not in own:
            lines += [f"{name}:", *(f"- {value}" for value in values)]
    return [*lines, _FENCE]
