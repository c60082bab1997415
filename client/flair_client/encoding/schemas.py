"""Fields of every object: the one list that bytes, checks and documents come from."""

import re

from flair_client import limits
from flair_client.encoding import rules
from flair_client.encoding.codecs import (
    Bytes,
    Choice,
    CommitLink,
    Float,
    Identifier,
    Int,
    Link,
    ListOf,
    MapOf,
    Pattern,
    Text,
)
from flair_client.encoding.records import Field, Record
from flair_client.ids import CODEC_DAG_CBOR, CODEC_RAW, Address, Digest
from flair_client.objects import (
    Commit,
    CommitKind,
    Delta,
    DeltaEncodingId,
    DeltaTensor,
    DType,
    EventList,
    Light,
    LightEncodingId,
    Manifest,
    Privacy,
    Recipe,
    RecipeFile,
    Revert,
    RevertKind,
    Role,
    Source,
    StrategyRecord,
    TensorEncodingId,
    TensorEntry,
    Training,
)

VERSION = Int(1, 1)
ADDRESS = Identifier(Address, "an address (32 bytes)")
DIGEST = Identifier(Digest, "a digest (32 bytes)")
COMMIT = CommitLink()
RAW_LINK = Link(CODEC_RAW)
DAG_LINK = Link(CODEC_DAG_CBOR)
NAME = Pattern(
    re.compile(r"[a-z0-9][a-z0-9._-]{0,63}"),
    "a name (1 to 64 of a-z 0-9 . _ -, first a letter or digit)",
)
LABEL = Pattern(
    re.compile(r"[A-Za-z0-9][A-Za-z0-9._/-]{0,63}"),
    "a label (1 to 64 of A-Z a-z 0-9 . _ / -, first a letter or digit)",
)
MODE = Pattern(re.compile("public"), "`public`")
WORDS = Text(limits.MAX_WORDS_SIZE)
TENSOR_NAME = Text(limits.MAX_TENSOR_NAME_SIZE)
SHAPE = ListOf(Int(0, limits.MAX_TENSOR_SIZE), limits.MAX_DIMENSIONS)
ROUND_INDEX = Int()
SCALE_EXP = Int(limits.MIN_SCALE_EXP, limits.MAX_SCALE_EXP)
SIGNED = Int(-limits.INT64_MAX - 1)
# Blocks of one tensor; the size of the whole object bounds all of them together.
BLOCKS = ListOf(RAW_LINK, limits.MAX_OBJECT_SIZE // 40)

TRAINING = Record(
    Training,
    (
        Field("samples_bucket", Int(1), "number of samples, in a bucket"),
        Field("epochs", Int(0), "passes over the data"),
        Field("framework", WORDS, "what trained, with its version"),
        Field("seed", Int(), "seed of the run", optional=True),
    ),
)
PRIVACY = Record(
    Privacy,
    (
        Field("mode", MODE, "privacy mode"),
        Field("clip", Float(0), "clipping norm, in weight units", optional=True),
        Field("noise_multiplier", Float(0), "noise by clipping norm", optional=True),
        Field("epsilon", Float(0), "with delta and accountant", optional=True),
        Field("delta", Float(0), "at most 1", optional=True),
        Field("accountant", WORDS, "how epsilon was counted", optional=True),
    ),
    rules.check_privacy,
)
STRATEGY = Record(
    StrategyRecord,
    (
        Field("id", LABEL, "name of the strategy or method"),
        Field("params", MapOf(LABEL, SIGNED, limits.MAX_PARAMS), "its parameters"),
        Field(
            "weights",
            ListOf(SIGNED, limits.MAX_UPDATES, 1),
            "see below",
        ),
        Field("base", COMMIT, "of models: changes are counted from it", optional=True),
    ),
)
REVERT = Record(
    Revert,
    (
        Field("kind", Choice(RevertKind), "what is taken back"),
        Field(
            "commit",
            COMMIT,
            "the merge meant; with `since` what it goes back to",
        ),
        Field(
            "update",
            COMMIT,
            "with `contributor` and `replay`: the update",
            optional=True,
        ),
    ),
    rules.check_revert,
)
COMMIT_FIELDS = (
    Field("v", VERSION),
    Field("kind", Choice(CommitKind)),
    Field("repo", ADDRESS, "the repository's account"),
    Field("branch", NAME),
    Field("parents", ListOf(COMMIT, limits.MAX_PARENTS), "see the kinds"),
    Field("author", ADDRESS, "who signed"),
    Field("message", Text(limits.MAX_MESSAGE_SIZE, 0, multiline=True)),
    Field("time", Int(0, limits.MAX_TIME), "Unix seconds, the author's claim"),
    Field("policy", DIGEST, "digest of the Policy account", optional=True),
    Field("round_index", ROUND_INDEX, "the round", optional=True),
    Field("weights", DAG_LINK, "Manifest", optional=True),
    Field("delta", DAG_LINK, "Delta", optional=True),
    Field("recipe", DAG_LINK, "Recipe", optional=True),
    Field("training", TRAINING, "how it was trained", optional=True),
    Field(
        "metrics",
        MapOf(LABEL, Float(), limits.MAX_METRICS),
        "measured by the author",
        optional=True,
    ),
    Field("privacy", PRIVACY, "how the data was protected", optional=True),
    Field("strategy", STRATEGY, "how updates were combined", optional=True),
    Field("strategy_state", DAG_LINK, "Manifest of its moments", optional=True),
    Field("report", RAW_LINK, "JSON: what the gates saw", optional=True),
    Field("proof", RAW_LINK, "room for proofs", optional=True),
    Field("opening", RAW_LINK, "room for masked updates", optional=True),
    Field("events", DAG_LINK, "EventList since the parent's", optional=True),
    Field("reverts", REVERT, "what a revert takes back", optional=True),
)
COMMIT_SCHEMA = Record(
    Commit,
    (*COMMIT_FIELDS, Field("signature", Bytes(64, 64), "Ed25519 by `author`")),
    rules.check_commit,
)
# What is signed: the same map without its signature.
UNSIGNED_COMMIT_SCHEMA = Record(
    Commit,
    (*COMMIT_FIELDS, Field("signature", Bytes(0, 0), optional=True)),
    rules.check_commit,
)

LIGHT = Record(
    Light,
    (
        Field("encoding", Choice(LightEncodingId), "of the blocks"),
        Field("digest", DIGEST, "sha256 of the chunks, one after the other"),
        Field("blocks", BLOCKS),
    ),
)
TENSOR_ENTRY = Record(
    TensorEntry,
    (
        Field("name", TENSOR_NAME),
        Field("dtype", Choice(DType), "as in safetensors"),
        Field("shape", SHAPE, "empty for a scalar"),
        Field("role", Choice(Role)),
        Field("digest", DIGEST, "sha256 of the little-endian bytes in `dtype`"),
        Field("encoding", Choice(TensorEncodingId), "of the blocks"),
        Field("blocks", BLOCKS),
        Field(
            "fixed_digest",
            DIGEST,
            "sha256 of the int64 little-endian `M`; exactly with `fixed`",
            optional=True,
        ),
        Field("light", LIGHT, "a smaller form of a frozen tensor", optional=True),
    ),
    rules.check_tensor_entry,
)
SOURCE = Record(
    Source,
    (
        Field("header_size", Int(2, limits.MAX_SAFETENSORS_HEADER_SIZE), "bytes"),
        Field("blocks", ListOf(RAW_LINK, limits.MAX_HEADER_BLOCKS), "the JSON header"),
    ),
    rules.check_source,
)
MANIFEST_SCHEMA = Record(
    Manifest,
    (
        Field("v", VERSION),
        Field("tensors", ListOf(TENSOR_ENTRY, limits.MAX_TENSORS), "in name order"),
        Field("scale_exp", SCALE_EXP, "exactly with a `fixed` tensor", optional=True),
        Field("source", SOURCE, "the file that the weights came in", optional=True),
    ),
    rules.check_manifest,
)

DELTA_TENSOR = Record(
    DeltaTensor,
    (
        Field("name", TENSOR_NAME),
        Field("shape", SHAPE),
        Field("encoding", Choice(DeltaEncodingId), "of the blocks"),
        Field("digest", DIGEST, "sha256 of the int16 little-endian values"),
        Field("blocks", BLOCKS),
    ),
    rules.check_delta_tensor,
)
DELTA_SCHEMA = Record(
    Delta,
    (
        Field("v", VERSION),
        Field("repo", ADDRESS),
        Field("branch", NAME),
        Field("contributor", ADDRESS, "whose update it is"),
        Field("round_index", ROUND_INDEX),
        Field("base", COMMIT, "head that it was made from"),
        Field("policy", DIGEST, "digest of the Policy account"),
        Field("bits", Int(13, 16), "13 or 16"),
        Field("scale_exp", SCALE_EXP, "unit of the values: 2^scale_exp"),
        Field("norm_sq", Int(), "Σ δ² over all tensors"),
        Field("tensors", ListOf(DELTA_TENSOR, limits.MAX_TENSORS), "in name order"),
    ),
    rules.check_delta,
)

EVENT_LIST_SCHEMA = Record(
    EventList,
    (
        Field("v", VERSION),
        Field("first_seq", Int(1), "`repo_seq` of the first"),
        Field(
            "events",
            ListOf(
                Bytes(limits.MIN_EVENT_SIZE, limits.MAX_EVENT_SIZE), limits.MAX_EVENTS
            ),
            "event bytes as in section 3",
        ),
    ),
)

RECIPE_FILE = Record(
    RecipeFile,
    (
        Field("path", Text(limits.MAX_PATH_SIZE), "relative, `/` between parts"),
        Field("size", Int(0, limits.MAX_RAW_BLOCK_SIZE), "bytes"),
        Field("cid", RAW_LINK, "the content"),
    ),
    rules.check_recipe_file,
)
RECIPE_SCHEMA = Record(
    Recipe,
    (
        Field("v", VERSION),
        Field(
            "files", ListOf(RECIPE_FILE, limits.MAX_RECIPE_FILES, 1), "in path order"
        ),
    ),
    rules.check_recipe,
)
