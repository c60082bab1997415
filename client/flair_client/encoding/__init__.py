"""Objects to canonical bytes and back, digests, and what authors sign."""

from flair_client.encoding.blocks import (
    commit_id,
    decode_commit,
    decode_delta,
    decode_event_list,
    decode_manifest,
    decode_recipe,
    encode_commit,
    encode_delta,
    encode_event_list,
    encode_manifest,
    encode_recipe,
    encode_unsigned_commit,
    object_cid,
    weights_digest,
)
from flair_client.encoding.signing import (
    VerifySignature,
    sign_commit,
    signing_text,
    verify_commit_signature,
)
from flair_client.ids import block_cid

__all__ = [
    "VerifySignature",
    "block_cid",
    "commit_id",
    "decode_commit",
    "decode_delta",
    "decode_event_list",
    "decode_manifest",
    "decode_recipe",
    "encode_commit",
    "encode_delta",
    "encode_event_list",
    "encode_manifest",
    "encode_recipe",
    "encode_unsigned_commit",
    "object_cid",
    "sign_commit",
    "signing_text",
    "verify_commit_signature",
    "weights_digest",
]
