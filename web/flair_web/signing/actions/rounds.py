"""What the actions on rounds share: the round that the page showed is still the one."""

from flair_client.errors import StaleBase
from flair_client.porcelain.target import BranchTarget, RoundTarget, find_repo
from flair_web.signing.action import Form
from flair_web.signing.planning import PlanningContext


def branch_of(ctx: PlanningContext, form: Form) -> BranchTarget:
    """Gives the form's branch.

    Raises:
        AccountMissing: there is none.
    """
    return find_repo(ctx, form.repo(ctx)).branch(form.text("branch"))


def round_of(ctx: PlanningContext, form: Form) -> RoundTarget:
    """Gives the form's round.

    Raises:
        AccountMissing: there is none (any more).
    """
    return branch_of(ctx, form).round(form.whole("round"))


def require_round(ctx: PlanningContext, form: Form) -> BranchTarget:
    """Gives the form's branch, if the form's round is its live or next one.

    Raises:
        StaleBase: the branch is at another round by now.
    """
    place, index = branch_of(ctx, form), form.whole("round")
    if place.account.round_index != index:
        raise StaleBase(
            f"the page showed round {index}, the branch is at round "
            f"{place.account.round_index}"
        )
    return place
