"""Makes a repository of one's own whose root is another's head.

The root has the other commit's manifest and recipe, so that every block is shared. Its
message and its report tell where it comes from.
"""

import functools
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from flair_client.chain.accounts import MoveKind
from flair_client.context import Context
from flair_client.encoding import (
    encode_commit,
    encode_event_list,
    sign_commit,
    weights_digest,
)
from flair_client.errors import (
    AccountMissing,
    FlairError,
    IdentifierInvalid,
    RefUnknown,
    Refused,
    UsageError,
    VerificationError,
)
from flair_client.history.events import events_for_commit
from flair_client.history.graph import read_commit, walk
from flair_client.history.verify import last_valid_head
from flair_client.ids import CODEC_DAG_CBOR, CODEC_RAW, CommitId
from flair_client.objects import Commit, CommitKind
from flair_client.porcelain.advance import advance
from flair_client.porcelain.auditing import write_push, write_pushed
from flair_client.porcelain.checkout import (
    manifest_of,
    recipe_at,
    training_recipe,
)
from flair_client.porcelain.policy import policy_table, show_policy
from flair_client.porcelain.publish import NO_COMMIT
from flair_client.porcelain.refs import resolve_commit
from flair_client.porcelain.repo import repo_exists
from flair_client.porcelain.repo_publish import RootPlan, repo_publish
from flair_client.porcelain.target import BranchTarget, find_repo
from flair_client.porcelain.transfer import Outgoing, send_blocks
from flair_client.repo_address import RepoAddress
from flair_client.store.memory import MemoryStore

_DEFAULT_BRANCH = "main"
_MAX_REPORT_SIZE = 1 << 16


@dataclass(frozen=True, slots=True)
class Forked:
    """A repository that begins with another's commit.

    Attributes:
        upstream: the other repository, with the commit.
        root: the new repository's first commit.
        steps: what this run did; empty where it was forked before.
    """

    repo: RepoAddress
    upstream: RepoAddress
    branch: str
    root: CommitId
    n_params: int
    steps: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Source:
    """The commit that is forked, verified."""

    place: BranchTarget
    commit: CommitId


def fork(
    ctx: Context,
    upstream: RepoAddress,
    name: str | None = None,
    *,
    points_per_merge: int,
    policy: Mapping[str, Any] | None = None,
    tell: Callable[[str], None] = lambda _: None,
) -> Forked:
    """Makes a repository of the wallet's own; run again after a kill it goes on.

    The policy is that of the other branch's next round, with the fields changed that
    are given.

    Args:
        ctx: with the wallet that will own the fork.
        upstream: the other repository, with a branch or commit where the head of
            `main` is not meant.
        name: of the fork; without it the other's.
        points_per_merge: cap on the points that one merge gives out.
        policy: fields that are to be different.
        tell: hears of each step when it is done.

    Raises:
        AccountMissing, RefUnknown: there is no such repository, branch or commit.
        VerificationError: the head is wrong; a commit before it can be named.
        Refused: there is a repository of this name with another root.
        UsageError: the wallet made the other repository itself, under this name; or the
            policy cannot be.
    """
    repo = RepoAddress(ctx.network.name, ctx.wallet.address, name or upstream.name)
    if repo == upstream.at(None):
        raise UsageError(f"{repo} would be a fork of itself; give it another name")
    source = _source(ctx, upstream)
    origin = upstream.at(str(source.commit))
    before = _forked_before(ctx, repo, origin)
    manifest = manifest_of(ctx.remote, source.commit)
    n_params = sum(one.n_values for one in manifest.tensors if one.role.is_shared)
    if before is not None:
        return Forked(repo, origin, _DEFAULT_BRANCH, before, n_params, ())
    index = source.place.account.policy_index
    theirs = show_policy(source.place.policy(index), source.place.policy_address(index))
    plan = RootPlan(n_params, _first_round(ctx, source), policy_table(theirs))
    made = repo_publish(
        ctx,
        repo.name,
        plan,
        functools.partial(_publish_root, ctx, source, origin),
        branch=_DEFAULT_BRANCH,
        points_per_merge=points_per_merge,
        policy=policy,
        tell=tell,
    )
    return Forked(repo, origin, made.branch, made.root, n_params, made.steps)


def _source(ctx: Context, upstream: RepoAddress) -> _Source:
    target = find_repo(ctx, upstream)
    ref = upstream.ref or _DEFAULT_BRANCH
    base = ref.partition("~")[0]
    try:
        place = target.branch(base)
    except (AccountMissing, IdentifierInvalid):
        place = target.branch(_DEFAULT_BRANCH)
    branch = place.account.name
    found = last_valid_head(
        ctx.chain,
        ctx.remote,
        target.address,
        branch,
        genesis_hash=ctx.network.genesis_hash,
        progress=ctx.progress,
    )
    # Behind a wrong head, only ids say which commit is meant.
    is_of_head = base in (branch, "HEAD", "")
    if found.commit_id is None or (found.fault and is_of_head):
        raise found.fault or VerificationError(
            f"branch {branch!r}", "has no commit yet"
        )
    heads = {branch: found.commit_id}
    commit_id = resolve_commit(ctx.remote, heads, found.commit_id, ref)
    if commit_id not in {one.commit_id for one in found.commits}:
        raise RefUnknown(f"{ref!r} is no valid commit of branch {branch!r}")
    return _Source(place, commit_id)


def _first_round(ctx: Context, source: _Source) -> int:
    """Statistics that the commit has already are not collected again."""
    recipe = training_recipe(ctx.remote, recipe_at(ctx.remote, source.commit))
    line = walk(ctx.remote, source.commit, first_parent=True)
    has_merge = any(
        commit.kind is CommitKind.MERGE and not commit.merges_models
        for _, commit in line
    )
    return 0 if recipe.statistics and not has_merge else 1


def _forked_before(
    ctx: Context, repo: RepoAddress, origin: RepoAddress
) -> CommitId | None:
    """The root of a finished fork of the same commit; None where there is none yet.

    Raises:
        Refused: the repository begins with something else.
    """
    if not repo_exists(ctx, repo):
        return None
    heads = {
        one.name: one.head_commit
        for one in ctx.chain.branches(find_repo(ctx, repo).address)
        if one.head_commit != NO_COMMIT
    }
    if not heads:
        return None
    if _DEFAULT_BRANCH in heads:
        *_, (root, _) = walk(ctx.remote, heads[_DEFAULT_BRANCH], first_parent=True)
        if forked_from(ctx, root) == origin:
            return root
    raise Refused(f"there is a repository {repo} already, and it is no fork of this")


def forked_from(ctx: Context, root: CommitId) -> RepoAddress | None:
    """Tells which commit a root says it is a fork of; its author's claim."""
    commit = read_commit(ctx.remote, root)
    if commit.report is None:
        return None
    try:
        told = json.loads(ctx.remote.get(commit.report, max_size=_MAX_REPORT_SIZE))
        address = RepoAddress.parse(str(told["fork"]["upstream"]))
        return address.at(str(told["fork"]["commit"]))
    except (ValueError, RecursionError, KeyError, TypeError, FlairError):
        return None


def _publish_root(
    ctx: Context, source: _Source, origin: RepoAddress, repo: RepoAddress, branch: str
) -> CommitId:
    place = find_repo(ctx, repo).branch(branch)
    upstream = read_commit(ctx.remote, source.commit)
    if upstream.weights is None:
        raise UsageError(f"commit {source.commit.short} is an update, not a model")
    events = events_for_commit(ctx.chain, ctx.remote, place.repo.address, None)
    # Made here first, so that it is written down before anything leaves.
    own = MemoryStore()
    commit = Commit(
        kind=CommitKind.ROOT,
        repo=place.repo.address,
        branch=branch,
        author=ctx.wallet.address,
        message=f"fork of {origin}",
        time=ctx.now(),
        policy=place.policy(place.account.policy_index).digest,
        weights=upstream.weights,
        recipe=recipe_at(ctx.remote, source.commit),
        report=own.put(CODEC_RAW, _report(ctx, source, origin)),
        events=own.put(CODEC_DAG_CBOR, encode_event_list(events)),
    )
    signed = sign_commit(commit, ctx.wallet.address, ctx.wallet.sign)
    root = CommitId(own.put(CODEC_DAG_CBOR, encode_commit(signed)).digest)
    # Everything else is the other repository's, and in the store already.
    named = ((signed.report, "report"), (signed.events, "events"), (root.cid, "commit"))
    blocks = [
        Outgoing(cid, what, len(own.get(cid))) for cid, what in named if cid is not None
    ]
    told = {"branch": branch, "commit": str(root), "upstream": str(origin)}
    write_push(ctx, repo, blocks, **told)
    sent = send_blocks(ctx, own, blocks)
    advance(ctx, place, MoveKind.ROOT, root)
    write_pushed(ctx, root, sent)
    return root


def _report(ctx: Context, source: _Source, origin: RepoAddress) -> bytes:
    told = {
        "fork": {
            "upstream": str(origin.at(None)),
            "commit": str(source.commit),
            "weights_digest": str(
                weights_digest(manifest_of(ctx.remote, source.commit))
            ),
        }
    }
    return json.dumps(told, sort_keys=True, separators=(",", ":")).encode()
