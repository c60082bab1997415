"""Makes a workspace for a model of the user's own: weights, roles of tensors, card."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from flair_client.config_file import write_text
from flair_client.errors import DataError, TensorMismatch, UsageError
from flair_client.porcelain.init import (
    CARD,
    InitResult,
    columns_from_csv,
    copy_weights,
    published_files,
)
from flair_client.porcelain.init_code import CodeLeftOut, RecipeCode, torch_code
from flair_client.training.npz_rows import read_npz
from flair_client.training.reading import check_rows
from flair_client.training.recipe import (
    INPUT_DTYPES,
    MODEL_FILE,
    PYTHON,
    TRAIN_FILE,
    Column,
    Input,
    TrainingRecipe,
    parse_recipe,
    recipe_text,
)
from flair_client.user_code import import_object
from flair_client.weights import roles_by_pattern
from flair_client.weights.foreign import (
    ForeignWeights,
    check_finite,
    check_foreign,
    fit,
    save_foreign,
    ties_of,
)
from flair_client.weights.opening import (
    WeightsFormat,
    format_of,
    header_at,
    read_foreign,
)
from flair_client.weights.proposals import (
    TensorKind,
    patterns_for,
    propose_roles,
    roles_now,
)
from flair_client.weights.safetensors_file import TensorSpan, build_header
from flair_client.weights.sklearn_model import (
    CLASSES,
    COEF,
    INTERCEPT,
    sklearn_kinds,
    sklearn_weights,
)
from flair_client.weights.torch_module import check_names, describe_module
from flair_client.workspace import CARD_FILE, Workspace, make_workspace


@dataclass(frozen=True, slots=True)
class ModelSource:
    """Where a model comes from; at least one of the three.

    Attributes:
        weights: a file: .safetensors, .npz, or a PyTorch state dict.
        torch: `package.module:Name` of a network's class, or of a function that makes
            it, or of the network itself.
        sklearn: the same for a linear model of scikit-learn.
    """

    weights: Path | None = None
    torch: str | None = None
    sklearn: str | None = None

    @property
    def code(self) -> str | None:
        """The user's code that must be imported; None where a file will do."""
        return self.torch or self.sklearn


@dataclass(frozen=True, slots=True)
class _Model:
    """The tensors of a model as its framework knows them.

    Attributes:
        kinds: what each tensor is, where a framework told.
        file: of the user's module.
        code: that a recipe trains it with; None where there is none.
        left_out: why there is none.
    """

    weights: ForeignWeights | None = None
    kinds: Mapping[str, TensorKind] | None = None
    file: str | None = None
    code: RecipeCode | None = None
    left_out: str | None = None


def init_model(
    folder: Path,
    source: ModelSource,
    *,
    code_folder: Path,
    columns_from: Path | None = None,
    inputs_from: Path | None = None,
    target: str | None = None,
    tell: Callable[[str], None] = lambda _: None,
) -> InitResult:
    """Makes a workspace with a model's weights and a role for each of its tensors.

    What is there already stays as it is; roles are then those of the recipe that is
    there.

    Args:
        folder: made when it is not there.
        source: of the model.
        code_folder: where the user's modules are looked for first.
        columns_from: a CSV file whose columns the recipe declares, in their order.
        inputs_from: an `.npz` file whose arrays the recipe declares instead.
        target: the column or array that is predicted; without it `target`, or `y` among
            arrays.
        tell: hears what is about to be imported.

    Raises:
        UsageError: the source cannot be opened, imported, or is of no known kind.
        NotStateDict: a PyTorch file holds something else than tensors by name.
        ObjectInvalid: the file is damaged, or a tensor has no place in a model.
        TensorMismatch: the file holds other tensors than the model.
        NotFinite: a tensor holds NaN or infinity.
        DataError: the file gives no columns or arrays.
        ExtraMissing: the model's framework is not installed.
    """
    columns: tuple[Column, ...] = ()
    if columns_from is not None:
        columns = columns_from_csv(columns_from, target or "target")
    inputs = () if inputs_from is None else inputs_from_npz(inputs_from, target or "y")
    model = _model(source, code_folder, len(columns) or None, tell)
    workspace = Workspace(folder.absolute())
    created = []
    with _weights(source, model) as (weights, as_it_is):
        _check_columns(weights, columns)
        is_new = not workspace.recipe_path.exists()
        if is_new:
            # Before anything is written: names that no recipe can hold are rare.
            spans = _spans(weights)
            proposals = propose_roles(spans, weights.ties, model.kinds)
            roles = patterns_for(proposals)
            recipe = _recipe(columns, inputs, target, roles, model.code)
        workspace = make_workspace(folder)
        with workspace.lock():
            if is_new:
                # The code first: a recipe that names it is then never without it.
                created += _write_code(workspace, model.code)
                write_text(workspace.recipe_path, recipe_text(recipe))
                created.append(workspace.recipe_path.name)
            if not (workspace.folder / CARD_FILE).exists():
                write_text(workspace.folder / CARD_FILE, CARD)
                created.append(CARD_FILE)
            if not workspace.weights_path.exists():
                _write_weights(workspace, weights, source, as_it_is=as_it_is)
                created.append(workspace.weights_path.name)
    recipe = parse_recipe(workspace.recipe_path.read_bytes())
    header = header_at(workspace.weights_path)
    proposals = propose_roles(header.spans.values(), ties_of(header), model.kinds)
    return InitResult(
        str(workspace.folder),
        tuple(created),
        len(recipe.columns),
        guessed_ranges=bool(columns) and recipe.columns == columns,
        tensors=roles_now(proposals, roles_by_pattern(recipe.roles)),
        published=published_files(workspace),
        imported=model.file,
        code_left_out=model.left_out if is_new else None,
    )


def _write_code(workspace: Workspace, code: RecipeCode | None) -> list[str]:
    created = []
    texts = {} if code is None else {MODEL_FILE: code.model, TRAIN_FILE: code.train}
    for name, text in texts.items():
        if not (workspace.folder / name).exists():
            write_text(workspace.folder / name, text)
            created.append(name)
    return created


def _spans(weights: ForeignWeights) -> list[TensorSpan]:
    listed = ((one.name, one.dtype, one.shape) for one in weights.tensors)
    return list(build_header(listed).spans.values())


def _model(
    source: ModelSource,
    code_folder: Path,
    n_features: int | None,
    tell: Callable[[str], None],
) -> _Model:
    if source.torch is not None and source.sklearn is not None:
        raise UsageError("a model is of PyTorch or of scikit-learn, not of both")
    if source.code is None:
        if source.weights is None:
            raise UsageError("a new model needs weights, or code that makes them")
        return _Model()
    tell(source.code)
    found = import_object(source.code, code_folder)
    if source.torch is not None:
        facts = describe_module(found.value)
        try:
            code = torch_code(found.value, source.torch, has_columns=bool(n_features))
        except CodeLeftOut as exc:
            return _Model(facts.weights, facts.kinds, found.file, left_out=str(exc))
        return _Model(facts.weights, facts.kinds, found.file, code)
    kinds = sklearn_kinds(found.value)
    # With a file the model itself need not have been fitted.
    own = None if source.weights else sklearn_weights(found.value, n_features)
    return _Model(own, kinds, found.file)


@contextmanager
def _weights(
    source: ModelSource, model: _Model
) -> Iterator[tuple[ForeignWeights, bool]]:
    """The weights to begin with, and whether they are in the source's file as it is."""
    if source.weights is None:
        own = model.weights or ForeignWeights(())
        check_foreign(own, source.code or "")
        yield own, False
        return
    with read_foreign(source.weights) as given:
        fitted = given
        if source.torch is not None and model.weights is not None:
            fitted = fit(given, {}, model.weights.ties or given.ties)
            check_names(model.weights, fitted)
        if source.sklearn is not None:
            _check_linear_names(fitted)
        check_foreign(fitted, source.weights.name)
        is_safetensors = format_of(source.weights) is WeightsFormat.SAFETENSORS
        yield fitted, is_safetensors and fitted == given


def _check_linear_names(weights: ForeignWeights) -> None:
    names = {one.name for one in weights.tensors}
    for name in sorted((names ^ {COEF, INTERCEPT}) - {CLASSES}):
        expected = "nothing" if name in names else "values"
        raise TensorMismatch(name, expected, "values" if name in names else "nothing")


def _check_columns(weights: ForeignWeights, columns: Sequence[Column]) -> None:
    for one in weights.tensors:
        if one.name == COEF and columns and one.shape[-1:] != (len(columns),):
            wanted = f"{len(columns)} columns"
            raise TensorMismatch(COEF, wanted, f"shape {list(one.shape)}")


def _write_weights(
    workspace: Workspace,
    weights: ForeignWeights,
    source: ModelSource,
    *,
    as_it_is: bool,
) -> None:
    if as_it_is and source.weights is not None:
        check_finite(weights)
        copy_weights(source.weights, workspace.weights_path)
        return
    # What tools look for that read the file with PyTorch.
    is_torch = source.torch is not None or (
        source.weights is not None and format_of(source.weights) is WeightsFormat.PT
    )
    metadata = {"format": "pt"} if is_torch else {}
    save_foreign(workspace.weights_path, weights, metadata=metadata)


def _recipe(
    columns: tuple[Column, ...],
    inputs: tuple[Input, ...],
    target: str | None,
    roles: tuple[tuple[str, tuple[str, ...]], ...],
    code: RecipeCode | None,
) -> TrainingRecipe:
    recipe = replace(
        parse_recipe(""),
        columns=columns,
        inputs=inputs,
        target=target or ("y" if inputs else "target"),
        roles=roles,
    )
    if code is None:
        return recipe
    return replace(
        recipe,
        model=PYTHON,
        evaluation="train:evaluate",
        requirements=code.requirements,
        model_class=f"model:{code.class_name}",
        framework="torch",
        # Arrays go by short names.
        target=target or ("target" if columns else "y"),
        epochs=1,
        learning_rate=0.05,
        metrics=("accuracy", "loss"),
    )


def inputs_from_npz(path: Path, target: str) -> tuple[Input, ...]:
    """Every array of a file, with its dtype and shape but not its number of rows.

    Raises:
        DataUnreadable: it is not there.
        DataError: it is no such file, has no such target, an array that no recipe can
            declare, or arrays of different numbers of rows.
    """
    inputs = []
    arrays = read_npz(path)
    for name, array in sorted(arrays.items()):
        if array.dtype.name not in INPUT_DTYPES or not array.ndim:
            raise DataError(f"{path}: array {name!r} is {array.dtype}, or has no rows")
        inputs.append(Input(name, array.dtype.name, (-1, *array.shape[1:])))
    if target not in [one.name for one in inputs]:
        raise DataError(f"{path}: there is no array {target!r}")
    check_rows({name: len(array) for name, array in arrays.items()}, path)
    return tuple(inputs)
