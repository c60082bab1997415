"""Takes a merge back. The site computes the weights; the wallet signs commit and move.

What is signed first is the commit's text; the page has read the commit by then.
"""

from pathlib import Path

from flair_client.chain.accounts import MoveKind
from flair_client.errors import StaleBase
from flair_client.history.evidence import gather_evidence
from flair_client.ids import CommitId
from flair_client.objects import Commit
from flair_client.porcelain.advance import (
    advance_instruction,
    live_round,
    require_right_to_advance,
)
from flair_client.porcelain.refs import remember_heads
from flair_client.porcelain.revert import unsigned_revert
from flair_client.porcelain.revert_plan import Request, change_between, plan_revert
from flair_client.porcelain.target import BranchTarget
from flair_client.workspace import Workspace
from flair_web.signing.action import (
    BRANCH,
    COMMIT,
    REPO,
    Action,
    Field,
    Form,
    Planned,
    Prepared,
)
from flair_web.signing.actions.rounds import branch_of
from flair_web.signing.planning import PlanningContext


def _prepare(ctx: PlanningContext, form: Form, folder: Path) -> Prepared:
    place = _place(ctx, form)
    require_right_to_advance(place)
    gathered = gather_evidence(
        ctx.chain,
        ctx.remote,
        place.repo.address,
        place.account.name,
        genesis_hash=ctx.network.genesis_hash,
        progress=ctx.progress,
    )
    workspace = Workspace(folder)
    remember_heads(workspace, {place.account.name: place.account.head_commit})
    contributor = form.maybe("contributor")
    plan = plan_revert(
        workspace,
        ctx.remote,
        gathered,
        Request(
            str(form.commit()),
            None if contributor is None else form.address("contributor"),
            None,
        ),
    )
    # What the evidence saw is what the move compares with.
    seen = BranchTarget(place.repo, place.address, gathered.branch_account)
    commit = unsigned_revert(ctx, ctx.remote, seen, plan)
    change = change_between(ctx.remote, plan.valid.manifest, plan.manifest)
    lines = [
        (
            f"{plan.message} {change.n_changed} of {change.n_tensors} tensors change, "
            f"by {change.l2:.3g} together."
        ),
        (
            "History stays, and none of this is unlearning: whoever has the old "
            "weights keeps them."
        ),
    ]
    if (ended := live_round(seen)) is not None:
        lines.append(f"Round {ended}, which is in progress, ends without a merge.")
    return Prepared(commit, tuple(lines))


def _finish(
    ctx: PlanningContext, form: Form, commit: Commit, commit_id: CommitId
) -> Planned:
    place = _place(ctx, form)
    if commit.parents != (place.account.head_commit,):
        raise StaleBase("the branch moved on while the commit was signed")
    made = advance_instruction(ctx, place, MoveKind.REVERT, commit_id)
    before = place.account.head_commit.short
    return Planned(
        (made,),
        (f"Branch {commit.branch} moves from {before} to {commit_id.short}.",),
    )


def _place(ctx: PlanningContext, form: Form) -> BranchTarget:
    place = branch_of(ctx, form)
    shown = CommitId.parse(form.text("head"))
    if place.account.head_commit != shown:
        raise StaleBase(
            f"the page showed the head {shown.short}, the branch is at "
            f"{place.account.head_commit.short}"
        )
    return place


ACTION = Action(
    name="revert",
    title="Revert a merge",
    button="Revert",
    does="Takes a merge back, wholly or one contributor's part, by a new commit.",
    needs=(
        (
            "Your wallet owns the repository, or holds the role 'administer' and the "
            "branch is not protected."
        ),
        "The merge is in the branch's history and was not taken back yet.",
        "Your wallet can sign texts: it signs the commit first, then its transaction.",
    ),
    refusals={
        "Refused": "It was taken back already, or your wallet may not move the branch.",
        "NotSeparable": "Take the whole merge back instead.",
        "StaleBase": "Look at the branch again.",
        "VerificationError": "The branch is not valid: run `flair verify` first.",
    },
    end="The branch has a new head, with the state from before the merge.",
    fields=(
        REPO,
        BRANCH,
        Field("head", "Head of the branch", "hidden"),
        COMMIT,
        Field(
            "contributor",
            "Only the part of",
            hint="a wallet; empty for the whole merge",
            optional=True,
        ),
    ),
    prepare=_prepare,
    finish=_finish,
    slow=True,
)
