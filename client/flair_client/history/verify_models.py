"""Checks a merge of models by making it again from them.

The other models are taken as states: signed, whole, what their ids say. Whether they
are valid heads of their own branches is for the verification of those.
"""

from flair_client.errors import VerificationError
from flair_client.history.naming_store import NamingStore
from flair_client.history.verify_update import read_commit, requiring
from flair_client.history.verify_weights import (
    first_difference,
    naming,
    read_manifest,
)
from flair_client.ids import CommitId
from flair_client.merging import Side, merge_models
from flair_client.merging.record import inputs_of, spec_of
from flair_client.objects import Commit, Manifest
from flair_client.progress import NO_PROGRESS, Progress
from flair_client.store.base import Store


def verify_model_merge(
    store: Store,
    commit_id: CommitId,
    commit: Commit,
    head: Manifest,
    *,
    progress: Progress = NO_PROGRESS,
) -> Manifest:
    """Makes a merge of models again and compares. Gives its manifest.

    Checks method, parameters, that the models are sorted and signed, and the integers
    and digests of all tensors. Signature, author, place and list of events of the merge
    itself are for the caller.

    Args:
        store: where the blocks of all models lie.
        commit_id: the merge.
        commit: the merge, decoded.
        head: weights of its first parent.
        progress: counts bytes.

    Raises:
        VerificationError: names the merge, or one of its models, and what is wrong.
    """
    where = f"commit {commit_id.short}"
    spec = spec_of(commit, where)

    def manifest_of(model: CommitId) -> Manifest:
        with naming(f"model {model.short} of merge {commit_id.short}"):
            weights = read_commit(store, model).weights
            if weights is None:
                raise VerificationError(
                    f"model {model.short} of merge {commit_id.short}",
                    "is an update and has no weights",
                )
            return read_manifest(store, weights)

    inputs = inputs_of(spec, Side(commit.parents[0], head), manifest_of)
    with naming(where):
        if commit.report is not None:
            store.get(commit.report)
        if commit.weights is None:
            raise VerificationError(where, "carries no weights")
        actual = read_manifest(store, commit.weights)
        scratch = NamingStore(store)
        expected = merge_models(store, spec, inputs, scratch, progress=progress)
    difference = first_difference(expected, actual)
    requiring(where)(difference is None, f"weights: {difference}")
    return actual
