"""Moving a branch by root, snapshot or revert; used by verbs, no verb itself."""

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


def _role(place: BranchTarget) -> Address | None:
    # On a protected branch no role counts.
    if place.account.protected:
        return None
    return place.repo.right(Scope.ADMINISTER, place.address)
