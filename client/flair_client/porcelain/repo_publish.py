"""Publishing a workspace: repository, policy, branch and root commit, step by step.

Each step looks at the chain first, so that a run that was killed goes on where it
stopped.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from flair_client.context import Context
from flair_client.errors import AccountMissing
from flair_client.ids import CommitId
from flair_client.porcelain.approval import refuse_unseen
from flair_client.porcelain.auditing import refusals_written_down
from flair_client.porcelain.branch import branch_create
from flair_client.porcelain.policy import policy_make, policy_params
from flair_client.porcelain.repo import repo_create, repo_exists
from flair_client.porcelain.target import find_repo
from flair_client.repo_address import RepoAddress


@dataclass(frozen=True, slots=True)
class RootPlan:
    """What a workspace wants to publish.

    Attributes:
        n_params: number of trainable and averaged values.
        first_round: 0 where statistics are collected before training, else 1.
        policy: the recipe's `[policy]` table.
    """

    n_params: int
    first_round: int
    policy: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class RepoPublished:
    """A published model.

    Attributes:
        steps: what this run did; those that were done before are not in it.
    """

    repo: RepoAddress
    branch: str
    root: CommitId
    policy_index: int
    steps: tuple[str, ...]


def repo_publish(
    ctx: Context,
    name: str,
    plan: RootPlan,
    publish_root: Callable[[RepoAddress, str], CommitId],
    *,
    branch: str = "main",
    points_per_merge: int,
    protected: bool = False,
    policy: Mapping[str, Any] | None = None,
    tell: Callable[[str], None] = lambda _: None,
) -> RepoPublished:
    """Publishes the model of a workspace that `flair init` made.

    Args:
        ctx: with the wallet that will own the repository.
        name: of the repository.
        plan: what the workspace says.
        publish_root: makes the root commit of a branch and moves its head there, or
            finishes what an earlier run began; refuses where another root is.
        branch: of its first branch.
        points_per_merge: cap on the points that one merge gives out.
        protected: whether the owner alone may move the branch.
        policy: fields that override the recipe's `[policy]` table.
        tell: hears of each step when it is done.

    Raises:
        Refused: the branch has another root already.
        SiteRefused: the site asks for a second person; nothing was sent.
        UsageError: the policy cannot be; nothing was sent.
        ProgramRefused: a step is not allowed.
    """
    # Before anything is on chain, so that a refusal or a bad policy leaves nothing.
    with refusals_written_down(ctx, "publish"):
        refuse_unseen(ctx)
    params = policy_params(plan.policy, policy, n_params=plan.n_params)
    repo = RepoAddress(ctx.network.name, ctx.wallet.address, name)
    steps = []

    def done(step: str) -> None:
        steps.append(step)
        tell(step)

    if not repo_exists(ctx, repo):
        repo_create(ctx, name, points_per_merge=points_per_merge)
        done(f"repository {repo}")
    if find_repo(ctx, repo).account.policy_count == 0:
        policy_make(ctx, repo, params)
        done("policy 0")
    try:
        place = find_repo(ctx, repo).branch(branch)
    except AccountMissing:
        branch_create(
            ctx, repo, branch, protected=protected, first_round=plan.first_round
        )
        done(f"branch {branch}")
        place = find_repo(ctx, repo).branch(branch)
    root = publish_root(repo, branch)
    done(f"root commit {root.short}")
    return RepoPublished(repo, branch, root, place.account.policy_index, tuple(steps))
