"""Proposes bits, unit and norm bound of a policy from one local run.

Nothing leaves the machine, and no chain is asked.
"""

from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import tomlkit

from flair_client.arithmetic import FloatArray, count_not_finite, values_from_bytes
from flair_client.config_file import write_text
from flair_client.data_sources import DataSource, as_source
from flair_client.errors import (
    NotFinite,
    NotTrainable,
    ObjectInvalid,
    TensorMismatch,
    UsageError,
)
from flair_client.objects import DType, Role
from flair_client.porcelain.policy_code import CodeRun, code_update
from flair_client.porcelain.policy_fit import Pairs, Proposal, Update, measure, propose
from flair_client.progress import NO_PROGRESS, Progress
from flair_client.training.data import ColumnMap
from flair_client.training.reading import read_plain_table
from flair_client.training.recipe import (
    LOGISTIC_REGRESSION,
    STATISTICS_PRESENT,
    TrainingRecipe,
    parse_recipe,
)
from flair_client.training.run import RoundKind, Weights, train
from flair_client.weights import (
    RoleOf,
    SafetensorsFile,
    read_safetensors,
    roles_by_pattern,
)
from flair_client.weights.opening import as_safetensors, header_at
from flair_client.workspace import Workspace

_FIELDS = ("bits", "scale_exp", "norm_bound")


@dataclass(frozen=True, slots=True)
class PolicySuggested:
    """A proposed policy, and what it does to the updates of a local run.

    Attributes:
        source: what the run was of: a file of data, or one of new weights.
        n_values: trainable and averaged values of the model.
        chosen: the proposal.
        others: the same for the widths of integers that were not chosen.
        n_outside: column → values outside the recipe's plausible range.
        written: the file that has it now; None where it was only proposed.
        is_published: whether the model's policies are on a chain already.
    """

    source: Path
    n_values: int
    chosen: Proposal
    others: tuple[Proposal, ...]
    n_outside: Mapping[str, int]
    written: Path | None
    is_published: bool

    @property
    def table(self) -> dict[str, Any]:
        """The fields as a recipe's `[policy]` table has them."""
        chosen = self.chosen
        return {
            "bits": chosen.bits,
            "scale_exp": chosen.scale_exp,
            "norm_bound": chosen.norm_bound,
        }


def policy_suggest(
    workspace: Workspace,
    *,
    data: DataSource | Path | None = None,
    update: Path | None = None,
    column_map: ColumnMap | None = None,
    seed: int | None = None,
    allow_one_class: bool = False,
    code: CodeRun | None = None,
    headroom: float = 2.0,
    write: bool = False,
    progress: Progress = NO_PROGRESS,
) -> PolicySuggested:
    """Proposes the fields of a policy that depend on how far training moves the model.

    Args:
        workspace: its recipe and its weights are the base.
        data: to train on, once, without keeping the result: the built-in model, or with
            the code that lies in the workspace.
        update: new weights from elsewhere instead; without both those that
            `flair train` left.
        column_map: how the data's columns give the recipe's.
        seed: of the order of the rows.
        allow_one_class: whether rows of one class will do.
        code: how the recipe's code is run.
        headroom: how much larger other contributors' updates may be.
        write: whether to put the fields into the recipe.
        progress: of the training.

    Raises:
        UsageError: there is no model, no run to look at, or nothing changed in it; or
            the recipe belongs to a published repository and cannot be written, nor its
            code be run here.
        NotTrainable: data was given, and the recipe has neither a built-in model nor
            code.
        NoSandbox, RecipeFailed, RequirementsMissing, SiteRefused: the recipe's code
            cannot run, or failed.
        DataError, TensorMismatch, ObjectInvalid: of the data, weights or recipe.
    """
    if data is not None and update is not None:
        raise UsageError("a run is of data or of new weights, not of both")
    if not workspace.recipe_path.exists() or not workspace.weights_path.exists():
        raise UsageError(f"{workspace.folder} has no recipe or no weights")
    if write and workspace.is_bound:
        raise UsageError(
            f"the recipe is that of {workspace.repo()}; policies are made there"
        )
    recipe = parse_recipe(workspace.recipe_path.read_bytes())
    with ExitStack() as stack:
        outside: Mapping[str, int] = {}
        if data is not None and recipe.has_code:
            rows = as_source(None, data).with_map(column_map)
            source = rows.path
            folder = stack.enter_context(TemporaryDirectory(prefix="flair-"))
            made = code_update(
                workspace,
                recipe,
                rows,
                Path(folder),
                seed=seed,
                how=code or CodeRun(),
                progress=progress,
            )
            updates = stack.enter_context(_from_file(workspace, recipe, made))
        elif data is not None:
            rows = as_source(None, data).with_map(column_map)
            source = rows.path
            updates, outside = _from_data(
                workspace,
                recipe,
                rows,
                seed=seed,
                allow_one_class=allow_one_class,
                progress=progress,
            )
        else:
            source = _update_file(workspace, update)
            updates = stack.enter_context(_from_file(workspace, recipe, source))
        if not any(one.length for one in updates):
            raise UsageError(f"{source} changes nothing that updates carry")
        chosen, both = propose(updates, headroom)
    suggested = PolicySuggested(
        source,
        _count_values(workspace, recipe),
        chosen,
        tuple(one for one in both if one != chosen),
        outside,
        workspace.recipe_path if write else None,
        workspace.is_bound,
    )
    if write:
        _write(workspace, suggested.table)
    return suggested


def _update_file(workspace: Workspace, update: Path | None) -> Path:
    if update is not None:
        return update
    if not workspace.update_path.exists():
        raise UsageError("no run is named, and nothing was trained here yet")
    return workspace.update_path


def _from_data(
    workspace: Workspace,
    recipe: TrainingRecipe,
    source: DataSource,
    *,
    seed: int | None,
    allow_one_class: bool,
    progress: Progress,
) -> tuple[list[Update], Mapping[str, int]]:
    if recipe.model != LOGISTIC_REGRESSION:
        raise NotTrainable("the recipe has no built-in model to train on data")
    with read_safetensors(workspace.weights_path) as file:
        weights: Weights = {
            name: _values(file, name).reshape(span.shape).astype(np.float32)
            for name, span in file.header.spans.items()
        }
    run = partial(
        train,
        recipe,
        data=read_plain_table(source.plain(), recipe),
        seed=seed,
        allow_one_class=allow_one_class,
        label=source.label,
        progress=progress,
    )
    updates = []
    if recipe.statistics and not weights[STATISTICS_PRESENT].any():
        # As in a repository: statistics first, then training with them.
        collected = run(weights=weights, round_kind=RoundKind.STATISTICS)
        updates.append(_measured(RoundKind.STATISTICS, weights, collected.weights))
        weights = collected.weights
    trained = run(weights=weights, round_kind=RoundKind.TRAINING)
    updates.append(_measured(RoundKind.TRAINING, weights, trained.weights))
    return updates, trained.n_clipped


def _measured(kind: RoundKind, old: Weights, new: Weights) -> Update:
    def pairs() -> Iterator[tuple[FloatArray, FloatArray]]:
        for name in sorted(old):
            before = old[name].astype(np.float64).reshape(-1)
            if not np.array_equal(old[name], new[name]):
                yield before, new[name].astype(np.float64).reshape(-1)

    return measure(kind.value, pairs)


@contextmanager
def _from_file(
    workspace: Workspace, recipe: TrainingRecipe, path: Path
) -> Iterator[list[Update]]:
    role_of = roles_by_pattern(recipe.roles)
    base = header_at(workspace.weights_path)
    with (
        as_safetensors(path, base) as converted,
        read_safetensors(workspace.weights_path) as old,
        read_safetensors(converted) as new,
    ):
        _check_same(old, new)
        kinds = ((Role.AVERAGE, RoundKind.STATISTICS), (Role.TRAIN, RoundKind.TRAINING))
        updates = [
            measure(kind.value, _pairs_of(old, new, role_of, role))
            for role, kind in kinds
        ]
        yield [one for one in updates if one.n_changed] or updates


def _pairs_of(
    old: SafetensorsFile, new: SafetensorsFile, role_of: RoleOf, role: Role
) -> Pairs:
    names = [
        span.name
        for span in old.header.spans.values()
        if role_of(span.name, span.dtype) is role
    ]

    def pairs() -> Iterator[tuple[FloatArray, FloatArray]]:
        for name in names:
            yield _values(old, name), _values(new, name)

    return pairs


def _values(file: SafetensorsFile, name: str) -> FloatArray:
    dtype: DType = file.header.spans[name].dtype
    values = values_from_bytes(file.tensor(name), dtype).astype(np.float64)
    n_bad = count_not_finite(values)
    if n_bad:
        raise NotFinite(name, n_bad)
    return values


def _check_same(old: SafetensorsFile, new: SafetensorsFile) -> None:
    ours, theirs = (
        {
            span.name: f"{span.dtype} {list(span.shape)}"
            for span in file.header.spans.values()
        }
        for file in (old, new)
    )
    for name in sorted(ours.keys() | theirs.keys()):
        wanted, got = ours.get(name, "nothing"), theirs.get(name, "nothing")
        if wanted != got:
            raise TensorMismatch(name, wanted, got)


def _count_values(workspace: Workspace, recipe: TrainingRecipe) -> int:
    role_of = roles_by_pattern(recipe.roles)
    return sum(
        (span.end - span.begin) // span.dtype.item_size
        for span in header_at(workspace.weights_path).spans.values()
        if role_of(span.name, span.dtype).is_shared
    )


def _write(workspace: Workspace, table: Mapping[str, Any]) -> None:
    """Puts the fields into `[policy]`; everything else in the file stays as it is."""
    with workspace.lock():
        document = tomlkit.parse(workspace.recipe_path.read_text("utf-8"))
        policy = document.setdefault("policy", tomlkit.table())
        if not isinstance(policy, dict):
            raise ObjectInvalid("flair.toml.policy", "is not a table")
        for name in _FIELDS:
            policy[name] = table[name]
        text = tomlkit.dumps(document)
        parse_recipe(text)
        write_text(workspace.recipe_path, text)
