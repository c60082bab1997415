"""One builder per instruction of the program: arguments in, unsigned instruction out.

Addresses that follow from the arguments are derived; nothing here signs or sends.
"""

from flair_client.chain.instructions.access import (
    authority_accept,
    authority_offer,
    delegation_create,
    delegation_revoke,
    invite_create,
    invite_redeem,
    invite_revoke,
    join_close,
    join_request,
    repo_set_sponsor,
)
from flair_client.chain.instructions.base import (
    ACCOUNTS,
    AccountMeta,
    Instruction,
    account_flags,
    instruction_discriminator,
)
from flair_client.chain.instructions.merges import (
    merge_accumulate,
    merge_expire,
    merge_finalize,
    merge_propose,
)
from flair_client.chain.instructions.repos import (
    branch_advance,
    branch_create,
    branch_set_policy,
    config_create,
    config_set,
    policy_create,
    repo_create,
    role_grant,
    role_revoke,
)
from flair_client.chain.instructions.rounds import (
    round_abort,
    round_close,
    round_open,
    update_expire,
    update_push,
    update_reject,
    update_settle,
    update_withdraw,
)

__all__ = [
    "ACCOUNTS",
    "AccountMeta",
    "Instruction",
    "account_flags",
    "authority_accept",
    "authority_offer",
    "branch_advance",
    "branch_create",
    "branch_set_policy",
    "config_create",
    "config_set",
    "delegation_create",
    "delegation_revoke",
    "instruction_discriminator",
    "invite_create",
    "invite_redeem",
    "invite_revoke",
    "join_close",
    "join_request",
    "merge_accumulate",
    "merge_expire",
    "merge_finalize",
    "merge_propose",
    "policy_create",
    "repo_create",
    "repo_set_sponsor",
    "role_grant",
    "role_revoke",
    "round_abort",
    "round_close",
    "round_open",
    "update_expire",
    "update_push",
    "update_reject",
    "update_settle",
    "update_withdraw",
]
