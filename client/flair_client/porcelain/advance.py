"""Moving a branch by hand; used by verbs, no verb itself."""

from collections.abc import Sequence

from flair_client.chain import instructions
from flair_client.chain.accounts import MoveKind, Scope
from flair_client.chain.instructions import Instruction
from flair_client.context import Context
from flair_client.errors import Refused
from flair_client.ids import Address, CommitId
from flair_client.porcelain.target import BranchTarget


def may_advance(place: BranchTarget) -> bool:
    """Whether the user's wallet may move this branch: owner, or role `administer`."""
    return place.repo.is_mine or _role(place) is not None


def require_right_to_advance(place: BranchTarget) -> None:
    """Refuses early what the program would refuse late.

    Raises:
        Refused: the wallet may not move this branch.
    """
    if may_advance(place):
        return
    wallet, name = place.repo.ctx.wallet.address, place.account.name
    if place.account.protected:
        raise Refused(
            f"branch {name!r} is protected: only the owner "
            f"{place.repo.account.authority} moves it, this is wallet {wallet}"
        )
    raise Refused(
        f"wallet {wallet} is not the owner and has no role 'administer' "
        f"on branch {name!r}"
    )


def advance(
    ctx: Context, place: BranchTarget, kind: MoveKind, new_head: CommitId
) -> None:
    """Moves the branch from the head that `place` saw, if it still is the head.

    The commit's blocks must be in the shared store already.

    Raises:
        ProgramRefused: `HeadMoved` where another was faster, or no right.
        RpcTimeout: not confirmed in time.
    """
    ctx.send([advance_instruction(ctx, place, kind, new_head)])


def advance_instruction(
    ctx: Context, place: BranchTarget, kind: MoveKind, new_head: CommitId
) -> Instruction:
    """What moving the branch asks of the chain."""
    return instructions.branch_advance(
        actor=ctx.wallet.address,
        repo=place.repo.address,
        branch=place.address,
        kind=kind,
        expected_head=place.account.head_commit,
        expected_seq=place.account.head_seq,
        new_head=new_head,
        role=_role(place),
        program_id=ctx.program_id,
    )


def merge_instruction(
    ctx: Context, place: BranchTarget, new_head: CommitId, merged: Sequence[CommitId]
) -> Instruction:
    """What moving the branch to a merge of models asks of the chain.

    Args:
        ctx: with the wallet that moves it.
        place: the branch as it was seen.
        new_head: the merge.
        merged: its parents behind the head.
    """
    return instructions.branch_merge(
        actor=ctx.wallet.address,
        repo=place.repo.address,
        branch=place.address,
        expected_head=place.account.head_commit,
        expected_seq=place.account.head_seq,
        new_head=new_head,
        merged=merged,
        role=_role(place),
        program_id=ctx.program_id,
    )


def live_round(place: BranchTarget) -> int | None:
    """The round in progress, which moving the branch by hand ends without a merge."""
    return place.account.round_index if place.account.round_live else None


def _role(place: BranchTarget) -> Address | None:
    # On a protected branch no role counts.
    if place.account.protected:
        return None
    return place.repo.right(Scope.ADMINISTER, place.address)
