"""Rows of the indexer's tables with everything in them, each field replaceable."""

import hashlib
import json

from flair_client.cli.jsonable import to_json
from flair_client.ids import Address
from flair_client.testing import PARAMS

NOW = 1_800_000_000
ZERO = bytes(32)


def digest(text):
    """Thirty-two bytes that follow from a text."""
    return hashlib.sha256(text.encode()).digest()


def address(text):
    return Address(digest(text))


def repo_rows(name, creator, n_events=9, **changes):
    """Rows of a repository that was folded to what its account says."""
    repo = digest(f"repo {creator.hex()} {name}")
    row = {
        "repo": repo,
        "creator": creator,
        "name": name,
        "authority": creator,
        "pending_authority": ZERO,
        "authority_epoch": 0,
        "sponsor": ZERO,
        "points_per_merge": 100,
        "created_at": NOW - 100_000,
    }
    return {
        "repos": row | changes,
        "folds": {"repo": repo, "seq": n_events, "root": ZERO, "authority_epoch": 0},
        "reconciliations": {
            "repo": repo,
            "state": "same",
            "chain_seq": n_events,
            "compared_at": NOW,
        },
        "policies": {
            "repo": repo,
            "policy_index": 0,
            "policy": digest(f"policy of {name}"),
            "digest": bytes([15]) * 32,
            "params": json.dumps(to_json(PARAMS), sort_keys=True),
            "created_at": NOW - 90_000,
        },
    }


def branch_row(repo, name="main", **changes):
    return {
        "branch": digest(f"branch {repo.hex()} {name}"),
        "repo": repo,
        "name": name,
        "policy_index": 0,
        "is_protected": False,
        "round_index": 1,
        "is_round_live": False,
        "head_commit": ZERO,
        "head_seq": 0,
        "created_at": NOW - 80_000,
    } | changes


def commit_row(branch, seq, commit_id, **changes):
    """A move of a branch's head."""
    return {
        "branch": branch["branch"],
        "head_seq": seq,
        "repo": branch["repo"],
        "commit_id": commit_id,
        "kind": "snapshot",
        "old_head": ZERO,
        "event_seq": seq,
        "moved_at": NOW - 70_000 + seq,
        "actor": digest("somebody"),
        "round_index": None,
        "merged": b"",
    } | changes


def round_row(branch, index, **changes):
    return {
        "branch": branch["branch"],
        "round_index": index,
        "repo": branch["repo"],
        "policy_index": 0,
        "base_commit": branch["head_commit"],
        "base_seq": 1,
        "opened_at": NOW - 1000,
        "deadline": NOW + 3600,
        "state": "open",
        "closed_at": None,
        "ended_at": None,
        "n_accepted": 0,
        "weight_sum": 0,
        "n_accumulated": 0,
        "weight_accumulated": 0,
        "update_root": ZERO,
        "abort_reason": None,
        "merge_commit": None,
        "merge_lambda": None,
    } | changes


def update_row(branch, index, contributor, commit_id, **changes):
    return {
        "branch": branch["branch"],
        "round_index": index,
        "contributor": contributor,
        "repo": branch["repo"],
        "commit_id": commit_id,
        "payload_digest": ZERO,
        "statement_digest": ZERO,
        "nonce": bytes(16),
        "weight": 4,
        "signer": contributor,
        "pushed_seq": 7,
        "pushed_at": NOW - 500,
        "state": "accepted",
        "reject_reason": None,
        "points": None,
    } | changes


def object_row(commit_id, **changes):
    """What a commit's block says."""
    return {
        "commit_id": commit_id,
        "kind": "snapshot",
        "author": digest("somebody"),
        "message": "a commit",
        "authored_at": NOW - 70_000,
        "parents": b"",
        "metrics": "{}",
        "n_bytes": 300,
    } | changes


def cursor_row(**changes):
    return {
        "cursor_id": 1,
        "genesis_hash": "7tpSNaVtNLWVkGyPWUR7oDnuLDnNsQRXU1dJXTs27F3E",
        "program_id": digest("program"),
        "until_signature": None,
        "until_slot": 50,
        "scan_top": None,
        "scan_top_slot": 0,
        "scan_before": None,
        "complete_slot": 60,
        "final_slot": 61,
        "owner": "somebody",
        "reconciled_at": NOW - 20,
    } | changes
