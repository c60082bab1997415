"""Makes a policy: the rules of the rounds that will name it."""

from typing import Any

from flair_client.errors import UsageError
from flair_client.porcelain.policy import policy_make, policy_params
from flair_web.signing.action import REPO, Action, Field, Form, Planned
from flair_web.signing.planning import PlanningContext, instructions_of

# Field of the form, and of the recipe's table.
_NUMBERS = {
    "bits": "bits",
    "scale_exp": "scale_exp",
    "weight_cap": "weight_cap",
    "min_updates": "min_updates",
    "max_updates": "max_updates",
    "round_length_s": "round_length",
    "merge_grace_s": "merge_grace",
    "challenge_s": "challenge",
    "approvals_needed": "approvals",
    "attestations_needed": "attestations",
    "deposit_lamports": "deposit_lamports",
}


def _plan(ctx: PlanningContext, form: Form) -> Planned:
    repo = form.repo(ctx)
    table: dict[str, Any] = {
        key: form.whole(name, -(2**15)) for name, key in _NUMBERS.items()
    }
    table |= {
        "contribute": form.text("contribute"),
        "reveal_after_close": form.flag("reveal_after_close"),
        "strategy": form.text("strategy"),
    }
    if bound := form.maybe("norm_bound"):
        table["norm_bound"] = _real(bound)
    params = policy_params(table, n_params=form.whole("n_params", 1))
    return Planned(
        instructions_of(lambda: policy_make(ctx, repo, params)),
        ("A policy never changes. No branch uses it yet.",),
    )


def _real(text: str) -> float:
    try:
        return float(text)
    except ValueError as exc:
        raise UsageError("the field 'norm_bound' is a number") from exc


def _number(name: str, label: str, default: int, hint: str = "") -> Field:
    return Field(name, label, "number", default=str(default), hint=hint)


ACTION = Action(
    name="policy_create",
    title="Create a policy",
    button="Create policy",
    does="Fixes the rules of rounds: how updates are limited, counted and combined.",
    needs=("Your wallet owns the repository or holds the role 'administer'.",),
    refusals={
        "RoleMissing": "Ask the owner for the role 'administer'.",
        "PolicyOutOfRange": "A field is outside the program's limits.",
        "UsageError": "Correct the field that is named.",
    },
    end="The policy exists; a branch names it when it is created.",
    fields=(
        REPO,
        _number("n_params", "Trainable values", 1, "of the model"),
        _number("min_updates", "Updates at least", 2),
        _number("max_updates", "Updates at most", 64),
        _number("round_length_s", "Length of a round", 86_400, "in seconds"),
        _number("merge_grace_s", "Time to merge", 86_400, "in seconds"),
        _number("challenge_s", "Challenge time", 0, "in seconds"),
        _number("approvals_needed", "Approvals by the owner", 0, "0 or 1"),
        _number("attestations_needed", "Attestations", 0, "0 to 16"),
        Field(
            "contribute",
            "Who may contribute",
            "choice",
            (("invited", "holders of a role"), ("open", "anybody")),
            "invited",
        ),
        Field(
            "reveal_after_close",
            "Updates stay hidden until the round is closed",
            "choice",
            (("no", "no"), ("yes", "yes")),
            "no",
        ),
        Field(
            "strategy",
            "Strategy",
            "choice",
            (("fedavg", "fedavg"), ("fedprox", "fedprox"), ("median", "median")),
            "fedavg",
        ),
        _number("weight_cap", "Largest weight", 256, "a power of two"),
        _number("bits", "Bits of a value", 16, "13 or 16"),
        _number("scale_exp", "Exponent of the unit", -13),
        Field(
            "norm_bound",
            "Longest update",
            hint="in units of the weights; empty for the root of the number of values",
            optional=True,
        ),
        _number("deposit_lamports", "Deposit of an update", 0, "in lamports"),
    ),
    plan=_plan,
)
