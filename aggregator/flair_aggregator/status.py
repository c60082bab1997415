"""What an aggregator did last, and what waits, from the chain and the outbox.

Nothing is verified here: a running aggregator wrote down what it found.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from flair_aggregator.outbox import Intent, Outbox
from flair_aggregator.pending import RpcPending
from flair_aggregator.round import BranchView, Rights, plan
from flair_aggregator.sending import describe
from flair_aggregator.settings import ACCUMULATE_BATCH
from flair_client.context import Context
from flair_client.ids import Address
from flair_client.porcelain.target import RepoTarget, find_repo
from flair_client.repo_address import RepoAddress


@dataclass(frozen=True, slots=True)
class BranchStatus:
    """One branch.

    Attributes:
        round_index: the live round; None where none is live.
        state: of the live round.
        deadline: seconds.
        next_steps: what the chain allows, if every update and candidate is sound.
        waits: what keeps the branch waiting, by the chain.
        found: what the aggregator found when it last looked, and when.
    """

    repo: str
    branch: str
    address: Address
    genesis_hash: str
    round_index: int | None
    state: str | None
    n_accepted: int
    n_accumulated: int
    deadline: int | None
    next_steps: tuple[str, ...]
    waits: tuple[str, ...]
    found: tuple[str, ...]
    found_at: int | None


@dataclass(frozen=True, slots=True)
class AggregatorStatus:
    """Branches, and the last steps, newest first."""

    branches: tuple[BranchStatus, ...]
    steps: tuple[Intent, ...]


def branch_statuses(
    ctx: Context,
    address: RepoAddress,
    branches: tuple[str, ...] | None,
    outbox: Outbox | None,
) -> tuple[BranchStatus, ...]:
    """Gives how every branch stands.

    Raises:
        AccountMissing: no such repository or branch.
    """
    target = find_repo(ctx, address)
    names = branches or tuple(one.name for one in ctx.chain.branches(target.address))
    return tuple(_status(target, name, outbox) for name in names)


def last_steps(
    branches: Sequence[BranchStatus], outbox: Outbox | None
) -> tuple[Intent, ...]:
    """Gives the last steps on these branches, newest first."""
    if outbox is None:
        return ()
    return outbox.latest([(one.genesis_hash, one.address) for one in branches])


def _status(target: RepoTarget, branch: str, outbox: Outbox | None) -> BranchStatus:
    ctx = target.ctx
    # A branch that is not there is told by its name.
    target.branch(branch)
    genesis_hash = ctx.network.genesis_hash or ctx.chain.rpc.get_genesis_hash()
    view = _as_if_sound(RpcPending(ctx.chain).read(target.address, branch))
    planned = plan(
        view,
        Rights(may_reject=False, may_propose=True),
        open_rounds=False,
        batch_size=ACCUMULATE_BATCH,
    )
    found = outbox and outbox.waits(genesis_hash, view.branch.address)
    live = view.live.round.value if view.live else None
    return BranchStatus(
        repo=str(target.name.at(None)),
        branch=branch,
        address=view.branch.address,
        genesis_hash=genesis_hash,
        round_index=live.round_index if live else None,
        state=live.state.name.lower() if live else None,
        n_accepted=live.n_accepted if live else 0,
        n_accumulated=live.n_accumulated if live else 0,
        deadline=live.deadline if live else None,
        next_steps=tuple(describe(step).name for step in planned.steps),
        waits=planned.waits,
        found=found.waits if found else (),
        found_at=found.noted_at if found else None,
    )


def _as_if_sound(view: BranchView) -> BranchView:
    """The view as it would be if everything that was proposed is right."""
    if view.live is None:
        return view
    proposed = frozenset(one.value.commit_id for one in view.live.candidates)
    return replace(view, live=replace(view.live, valid_candidates=proposed))
