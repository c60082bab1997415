"""Makes `signing.json`: a message for every instruction, and what is in it.

Python writes it, the page's decoder reads it: `web/frontend/tests/vectors.test.ts`.
"""

import json
from pathlib import Path

from flair_client.chain.arguments import ARGUMENTS
from flair_client.chain.instructions import ACCOUNTS, account_flags
from flair_client.chain.instructions.base import build
from flair_client.chain.layout import Codec, decode, fields_of
from flair_client.chain.pdas import (
    PROGRAM_ID,
    find_branch_pda,
    find_candidate_pda,
    find_invite_pda,
    find_join_request_pda,
    find_policy_pda,
    find_repo_pda,
    find_role_pda,
    find_round_pda,
    find_update_pda,
)
from flair_client.chain.signer import KeypairSigner
from flair_client.chain.unsigned import describe, unsigned_message
from flair_client.encoding import (
    commit_id,
    encode_commit,
    encode_unsigned_commit,
    sign_commit,
    signing_text,
)
from flair_client.ids import CODEC_DAG_CBOR, Address, Cid, CommitId
from flair_client.objects import Commit, CommitKind, Revert, RevertKind

PATH = Path(__file__).parent / "signing.json"
BLOCKHASH = str(Address(b"\x09" * 32))
WALLET = Address(b"\x01" * 32)


def arguments(name):
    """Arguments whose bytes all differ, as far as the program's types let them."""
    kind, raw = ARGUMENTS[name], b""
    for place, one in enumerate(fields_of(kind)):
        if not isinstance(one.part, Codec):
            raw += bytes(one.part.size)
        elif one.part.size is None:
            raw += b"\x05\0\0\0heart"
        elif one.part.size <= 2:
            raw += bytes((1, 0)[: one.part.size])
        else:
            # The last byte stays small: rights and pauses know few bits.
            filled = bytes((place + 7 * step) % 251 for step in range(one.part.size))
            raw += filled if one.part.size > 4 else b"\x03\0\0\0"
    return decode(kind, raw)


def sample(name, *, whole):
    """An instruction with all its accounts, or without the optional ones."""
    addresses = {}
    for place, (account, flags) in enumerate(account_flags(name)):
        if account == "config":
            continue
        left_out = "?" in flags and not whole
        is_signer = "s" in flags
        raw = WALLET.raw if is_signer else bytes((place + 2,)) * 32
        addresses[account] = None if left_out else Address(raw)
    more = [Address(b"\x61" * 32), Address(b"\x62" * 32)]
    with_more = name == "merge_accumulate"
    return build(name, arguments(name), addresses, PROGRAM_ID, more * with_more)


def vector(name, *, whole):
    made = sample(name, whole=whole)
    told = describe(made)
    return {
        "message": unsigned_message([made], WALLET, BLOCKHASH).hex(),
        "name": told.name,
        "accounts": [list(pair) for pair in told.accounts],
        "args": told.args,
    }


def addresses():
    """Accounts that the page derives for itself."""
    repo = find_repo_pda(WALLET, "heart")[0]
    branch = find_branch_pda(repo, "main")[0]
    number = find_round_pda(branch, 300)[0]
    return {
        "repo": repo,
        "branch": branch,
        "policy": find_policy_pda(repo, 3)[0],
        "role": find_role_pda(repo, None, WALLET)[0],
        "branch_role": find_role_pda(repo, branch, WALLET)[0],
        "invite": find_invite_pda(repo, WALLET)[0],
        "request": find_join_request_pda(repo, WALLET)[0],
        "round": number,
        "update": find_update_pda(number, WALLET)[0],
        "candidate": find_candidate_pda(number, CommitId(b"\x05" * 32))[0],
    }


def revert():
    """A revert before and after its author signed it."""
    signer = KeypairSigner(bytes([3]) * 32)
    head, merge = CommitId(b"\x71" * 32), CommitId(b"\x72" * 32)
    commit = Commit(
        kind=CommitKind.REVERT,
        repo=find_repo_pda(signer.address, "heart")[0],
        branch="main",
        parents=(head,),
        author=signer.address,
        message="take it back",
        time=1_800_000_000,
        weights=Cid(CODEC_DAG_CBOR, b"\x73" * 32),
        recipe=Cid(CODEC_DAG_CBOR, b"\x74" * 32),
        events=Cid(CODEC_DAG_CBOR, b"\x75" * 32),
        reverts=Revert(kind=RevertKind.MERGE, commit=merge),
    )
    signed = sign_commit(commit, signer.address, signer.sign)
    block = encode_commit(signed)
    return {
        "author": str(signer.address),
        "head": str(head),
        "merge": str(merge),
        "unsigned": encode_unsigned_commit(commit).hex(),
        "text": signing_text(commit).decode(),
        "signature": signed.signature.hex(),
        "signed": block.hex(),
        "id": str(commit_id(block)),
    }


def make():
    return {
        "revert": revert(),
        "wallet": str(WALLET),
        "blockhash": BLOCKHASH,
        "addresses": {name: str(one) for name, one in addresses().items()},
        "messages": [
            vector(name, whole=whole) for name in ACCOUNTS for whole in (True, False)
        ],
    }


if __name__ == "__main__":
    PATH.write_text(json.dumps(make(), indent=1) + "\n")
