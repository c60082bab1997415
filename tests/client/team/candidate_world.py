"""Rounds whose merges need the agreement of others, up to a proposed merge."""

from dataclasses import replace

from flair_client.chain import instructions
from flair_client.chain.accounts import Scope
from flair_client.encoding import encode_commit, sign_commit
from flair_client.history.graph import read_commit
from flair_client.ids import CODEC_DAG_CBOR, CommitId
from flair_client.porcelain.role import role_grant


def terms(team, merge):
    """What every instruction about a candidate of the live round names."""
    place = team.place
    return {
        "repo": place.repo.address,
        "branch": place.address,
        "round_index": place.account.round_index,
        "commit_id": merge,
    }


def propose(team, merge, who=None, role=None):
    """Proposes a commit, right or wrong, for the closed round."""
    ctx = who or team.owner
    place = team.place
    ctx.send(
        [
            instructions.merge_propose(
                payer=ctx.wallet.address,
                proposer=ctx.wallet.address,
                policy=place.policy_address(place.account.policy_index),
                expected_head=place.account.head_commit,
                expected_seq=place.account.head_seq,
                role=role,
                **terms(team, merge),
            )
        ]
    )
    return merge


def proposed(team, *steps):
    """A closed round with its right merge proposed by the owner."""
    team.push_updates(*(steps or (0.25, 0.5)))
    team.close_round()
    return propose(team, team.good_merge())


def signed_by(ctx, commit):
    """The commit under another signature, in the store."""
    wallet = ctx.wallet
    unsigned = replace(commit, author=wallet.address, signature=bytes(64))
    signed = sign_commit(unsigned, wallet.address, wallet.sign)
    cid = ctx.remote.put(CODEC_DAG_CBOR, encode_commit(signed))
    return CommitId(cid.digest)


def merge_by(team, ctx):
    """The right merge, signed by somebody else."""
    return signed_by(ctx, read_commit(team.owner.remote, team.good_merge()))


def grant(team, ctx, scope=Scope.ATTEST, **more):
    """Gives somebody a role; gives the role's address."""
    role_grant(team.owner, team.repo, ctx.wallet.address, scope, **more)
    place = team.place
    return replace(place.repo, ctx=ctx).right(scope, place.address)


def finalize(team, merge):
    """Moves the branch to a proposed merge."""
    place = team.place
    me = team.owner.wallet.address
    candidate = team.owner.chain.candidate(
        place.round(place.account.round_index).address, merge
    )
    team.owner.send(
        [
            instructions.merge_finalize(
                actor=me,
                candidate_payer=candidate.payer,
                policy=place.policy_address(place.account.policy_index),
                expected_head=place.account.head_commit,
                expected_seq=place.account.head_seq,
                **terms(team, merge),
            )
        ]
    )
