"""What a second person's yes covers: everything that is sent, as far as it is known.

Between that yes and the push may lie days. Not covered is what changes in them by
itself: the blockhash with its signatures, and whether somebody else opened the round
meanwhile. So the opening always counts, also where it is not sent any more.
"""

import hashlib
import json
from collections.abc import Iterable

from flair_client.chain.instructions import Instruction
from flair_client.context import Context
from flair_client.ids import CommitId, Digest
from flair_client.porcelain.pushed import whole_destinations
from flair_client.porcelain.transfer import Outgoing


def outbox_digest(
    ctx: Context,
    commit_id: CommitId,
    blocks: Iterable[Outgoing],
    fields: Iterable[tuple[str, str]],
    instructions: Iterable[Instruction],
) -> Digest:
    """Gives the sha-256 that an approval signs.

    Args:
        ctx: tells hosts and network.
        commit_id: the commit.
        blocks: what is put into the store.
        fields: what the commit and its delta say.
        instructions: as they are signed, with the opening of the round.
    """
    told = {
        "commit": str(commit_id),
        "hosts": [list(pair) for pair in whole_destinations(ctx)],
        "genesis_hash": ctx.network.genesis_hash,
        "blocks": [[one.what, str(one.cid), one.size] for one in blocks],
        "fields": [list(pair) for pair in fields],
        "transactions": [
            {
                "program": str(one.program_id),
                "accounts": [
                    [str(meta.address), meta.is_signer, meta.is_writable]
                    for meta in one.accounts
                ],
                "data": one.data.hex(),
            }
            for one in instructions
        ],
    }
    text = json.dumps(told, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return Digest(hashlib.sha256(text.encode()).digest())
