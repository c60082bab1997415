"""Sizes and counts that objects may have, each with its reason.

Checked before bytes are decoded or memory is taken.
"""

# Bulk bytes travel in blocks of this size: what IPFS tools cut files into at most.
MAX_RAW_BLOCK_SIZE = 1 << 20
# The largest block that IPFS peers exchange; about 50,000 links fit in.
MAX_OBJECT_SIZE = 2 << 20
# A commit is read for every step of a walk through history.
MAX_COMMIT_SIZE = 64 << 10
MAX_RECIPE_SIZE = 64 << 10

# The program's limit for updates in one round.
MAX_UPDATES = 64
# Head, then every update of a round.
MAX_PARENTS = 1 + MAX_UPDATES
# The largest weight of an update (`weight_cap` of a policy).
MAX_WEIGHT = 256

# A long letter; more belongs in the recipe's CARD.md.
MAX_MESSAGE_SIZE = 8 << 10
# As the program stores names.
MAX_NAME_SIZE = 64
# Names of nested modules get long; nothing known comes near.
MAX_TENSOR_NAME_SIZE = 512
# Free words such as a framework's name and version.
MAX_WORDS_SIZE = 128
MAX_METRICS = 64
MAX_PARAMS = 32
# 9999-12-31T23:59:59Z: later times cannot be shown by common libraries.
MAX_TIME = 253_402_300_799

# NumPy allows 64; models use at most six.
MAX_DIMENSIONS = 16
# A terabyte in one tensor is a mistake or an attack.
MAX_TENSOR_SIZE = 1 << 38
# Links of blocks bound this already (50,000 fit into an object).
MAX_TENSORS = 50_000
# As the safetensors library.
MAX_SAFETENSORS_HEADER_SIZE = 100_000_000
# A header beyond this would make the manifest itself too large.
MAX_HEADER_BLOCKS = 96

# A recipe is a few readable files.
MAX_RECIPE_FILES = 64
MAX_PATH_SIZE = 255

# The largest event is PolicyCreated with 577 bytes.
MAX_EVENT_SIZE = 1024
# Discriminator and header.
MIN_EVENT_SIZE = 8 + 121
MAX_EVENTS = 10_000

MIN_SCALE_EXP, MAX_SCALE_EXP = -40, 20
INT64_MAX = (1 << 63) - 1
