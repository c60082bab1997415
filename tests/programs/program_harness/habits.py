"""What random users do, how often, and what brings a round on."""

from typing import Final

from program_harness.records import Round
from program_harness.values import ATTEST, MERGE, OPEN

# What users do, and how often.
ACTIONS: Final = {
    "push": 26,
    "wait": 9,
    "accumulate": 16,
    "settle": 14,
    "close_round": 10,
    "propose": 12,
    "approve": 12,
    "attest": 12,
    "finalize": 14,
    "kill": 1,
    "offer": 2,
    "accept": 1,
    "expire": 6,
    "open_round": 8,
    "withdraw": 3,
    "reject": 2,
    "abort_round": 2,
    "expire_candidate": 3,
    "expire_attestation": 3,
    "set_policy": 2,
    "make_helper": 4,
    "drop_role": 2,
    "invite": 4,
    "redeem": 6,
    "revoke_invite": 3,
    "ask": 2,
    "answer": 4,
    "delegate": 3,
    "undelegate": 2,
    "push_by": 2,
    "push_for": 5,
    "set_sponsor": 1,
    "move_head": 1,
    "merge_models": 1,
}
# What brings a round on, by where it stands. Users who only did anything at all would
# hardly ever come to a merge.
NEXT: Final = {
    "none": (
        *("open_round", "open_round", "open_round", "settle", "settle", "expire"),
        *("expire_candidate", "expire_attestation", "set_policy", "invite", "redeem"),
    ),
    "open": ("push", "push", "push", "push_for", "wait", "wait", "withdraw"),
    "due": ("close_round", "close_round", "close_round", "abort_round", "reject"),
    "to add": ("accumulate", "accumulate", "propose", "approve", "attest"),
    "to propose": ("propose", "propose", "propose", "reject", "wait"),
    "to vote": (
        *("approve", "approve", "attest", "attest", "attest", "finalize", "finalize"),
        *("finalize", "propose", "wait", "kill", "offer", "accept"),
    ),
}
RIGHTS: Final = {"propose": MERGE, "attest": ATTEST}
# Users stay with a branch for so many steps, mostly.
STAY: Final = 60


def stage_of(live: Round | None, now: int) -> str:
    """Where a live round stands: a key of `NEXT`."""
    if live is None:
        return "none"
    if live.state == OPEN:
        is_full = live.n_accepted == live.policy.max_updates
        return "due" if is_full or now >= live.deadline else "open"
    if len(live.added) < len(live.accepted):
        return "to add"
    return "to vote" if live.candidates else "to propose"
