"""A merge of models as its commit records it, and back again."""

from collections.abc import Callable

from flair_client.errors import UsageError, VerificationError
from flair_client.ids import CommitId
from flair_client.merging.form import Side
from flair_client.merging.spec import MergeSpec, check_spec
from flair_client.merging.weights import Inputs
from flair_client.objects import Commit, Manifest, StrategyRecord


def record_of(
    spec: MergeSpec, head: CommitId
) -> tuple[tuple[CommitId, ...], StrategyRecord]:
    """Parents and record of a merge that is made on a head.

    The head comes first, whether it is one of the models or not.
    """
    weights = dict(spec.models)
    others = tuple(model for model, _ in spec.models if model != head)
    models = (head, *others) if head in weights else others
    return (head, *others), StrategyRecord(
        id=spec.method,
        params=spec.params,
        weights=tuple(weights[model] for model in models),
        base=spec.base,
    )


def spec_of(commit: Commit, where: str = "commit") -> MergeSpec:
    """What a merge of models says that it merged, and how; checked.

    Raises:
        VerificationError: it is no such merge, or no method can have recorded this.
    """
    strategy = commit.strategy
    if not commit.merges_models or strategy is None:
        raise VerificationError(where, "is no merge of models")
    has_head = len(strategy.weights) == len(commit.parents)
    models = commit.parents if has_head else commit.parents[1:]
    pairs = sorted(zip(models, strategy.weights, strict=True))
    spec = MergeSpec(strategy.id, strategy.params, tuple(pairs), strategy.base)
    try:
        check_spec(spec)
    except UsageError as exc:
        raise VerificationError(where, f"cannot be made again: {exc}") from exc
    return spec


def inputs_of(
    spec: MergeSpec, form: Side, manifest_of: Callable[[CommitId], Manifest]
) -> Inputs:
    """The states that a merge is made from.

    Args:
        spec: names them.
        form: the head.
        manifest_of: reads the weights of a commit.
    """

    def side(commit: CommitId) -> Side:
        return form if commit == form.commit else Side(commit, manifest_of(commit))

    models = tuple(side(model) for model, _ in spec.models)
    return Inputs(form, models, None if spec.base is None else side(spec.base))
