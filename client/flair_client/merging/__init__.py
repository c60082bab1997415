"""Models to one model, by mergekit's core methods: one method per file.

Pure arithmetic over tensors out of a store; nothing here asks the chain or makes a
commit. Formulas, parameters and bytes: docs/merging.md.
"""

from flair_client.merging.base import UNIT, MergeMethod
from flair_client.merging.form import Side
from flair_client.merging.methods import METHODS, get_method
from flair_client.merging.spec import Asked, MergeSpec, check_spec, make_spec
from flair_client.merging.weights import Inputs, merge_models

__all__ = [
    "METHODS",
    "UNIT",
    "Asked",
    "Inputs",
    "MergeMethod",
    "MergeSpec",
    "Side",
    "check_spec",
    "get_method",
    "make_spec",
    "merge_models",
]
