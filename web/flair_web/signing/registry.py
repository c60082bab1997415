"""Every action in one list, in the order in which pages show them."""

from collections.abc import Mapping
from typing import Final

from flair_web.signing.action import Action
from flair_web.signing.actions import (
    approve,
    attest,
    authority_accept,
    authority_offer,
    branch_create,
    invite_create,
    invite_redeem,
    join_request,
    policy_create,
    push,
    repo_create,
    revert,
    role_grant,
    role_revoke,
    round_abort,
    round_close,
    round_finalize,
    round_open,
    update_reject,
    update_settle,
    update_withdraw,
)

ACTIONS: Final[Mapping[str, Action]] = {
    module.ACTION.name: module.ACTION
    for module in (
        repo_create,
        policy_create,
        branch_create,
        invite_create,
        invite_redeem,
        join_request,
        role_grant,
        role_revoke,
        authority_offer,
        authority_accept,
        approve,
        attest,
        update_reject,
        round_open,
        round_close,
        round_abort,
        round_finalize,
        update_withdraw,
        update_settle,
        revert,
        push,
    )
}
