"""What a merge was asked for, checked: method, parameters, models with weights, base.

The record in a commit (`StrategyRecord`) and this hold the same facts.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal, InvalidOperation

from flair_client.errors import UsageError
from flair_client.ids import CommitId
from flair_client.merging.base import UNIT, MergeMethod, Param, ParamKind
from flair_client.merging.methods import get_method

MAX_WEIGHT = 1000 * UNIT
_FLAGS = {"true": 1, "false": 0, "yes": 1, "no": 0, "on": 1, "off": 0, "1": 1, "0": 0}


@dataclass(frozen=True, slots=True)
class MergeSpec:
    """A merge by a method.

    Attributes:
        params: by key, complete.
        models: commit and weight (in billionths) of each, sorted by id.
        base: what changes are counted from; None where the method takes no base.
    """

    method: str
    params: Mapping[str, int]
    models: tuple[tuple[CommitId, int], ...]
    base: CommitId | None = None


@dataclass(frozen=True, slots=True)
class Asked:
    """A merge as it was typed.

    Attributes:
        models: in the order named.
        params: by name, not parsed.
        weights: one for each model, not parsed; empty for 1 each.
    """

    method: str
    models: Sequence[CommitId]
    params: Mapping[str, str] = field(default_factory=dict)
    weights: Sequence[str] = ()
    base: CommitId | None = None
    seed: int | None = None


def make_spec(asked: Asked) -> MergeSpec:
    """Parses and checks what was typed.

    Raises:
        UsageError: there is no such method; a parameter is unknown, missing, given
            twice or out of its bounds; too few or too many models or weights; a model
            comes twice; a base is missing or too much.
    """
    method = get_method(asked.method)
    given = dict(asked.params)
    if asked.seed is not None:
        if "seed" in given:
            raise UsageError("the seed is given twice")
        given["seed"] = str(asked.seed)
    weights = _weights(method, given, asked)
    _check_known(method, given)
    params = {param.key: _value(method, param, given) for param in method.params}
    spec = MergeSpec(
        method.id,
        params,
        tuple(sorted(zip(asked.models, weights, strict=True))),
        asked.base,
    )
    check_spec(spec)
    return spec


def check_spec(spec: MergeSpec) -> None:
    """Refuses what no merge of this method can have recorded.

    Raises:
        UsageError: as `make_spec`.
    """
    method = get_method(spec.method)
    _check_models(method, [model for model, _ in spec.models])
    _check_base(method, spec)
    known = {param.key: param for param in method.params}
    for key in sorted(spec.params.keys() - known):
        raise UsageError(f"method {method.id!r} has no parameter {key!r}")
    for key, param in known.items():
        if key not in spec.params:
            raise UsageError(f"method {method.id!r} needs parameter {param.name!r}")
        if not param.low <= spec.params[key] <= param.high:
            shown = _shown(param, spec.params[key])
            raise UsageError(f"{param.name} is {shown}, it must be {param.bounds}")
    weights = [weight for _, weight in spec.models]
    for model, weight in spec.models:
        if abs(weight) > MAX_WEIGHT:
            limit = MAX_WEIGHT // UNIT
            raise UsageError(
                f"the weight of {model.short} must be from -{limit} to {limit}"
            )
    reason = method.check(spec.params, weights)
    if reason is not None:
        raise UsageError(reason)


def number_text(billionths: int) -> str:
    """Shows so many billionths as people write them: `0.3`."""
    return f"{(Decimal(billionths) / UNIT).normalize():f}"


def param_texts(spec: MergeSpec) -> dict[str, str]:
    """Names and values of the parameters as they are typed."""
    return {
        param.name: _shown(param, spec.params[param.key])
        for param in get_method(spec.method).params
    }


def _shown(param: Param, value: int) -> str:
    if param.kind is ParamKind.NUMBER:
        return number_text(value)
    if param.kind is ParamKind.FLAG and value in (0, 1):
        return "true" if value else "false"
    return str(value)


def _weights(method: MergeMethod, given: dict[str, str], asked: Asked) -> list[int]:
    _check_models(method, asked.models)
    param = method.weight_param
    if param is not None:
        if asked.weights:
            raise UsageError(f"method {method.id!r} takes {param.name!r}, no weights")
        share = _value(method, param, given)
        given.pop(param.name)
        if not param.low <= share <= param.high:
            shown = number_text(share)
            raise UsageError(f"{param.name} is {shown}, it must be {param.bounds}")
        return [UNIT - share, share]
    if not asked.weights:
        return [UNIT] * len(asked.models)
    if len(asked.weights) != len(asked.models):
        n_weights, n_models = len(asked.weights), len(asked.models)
        raise UsageError(f"{n_weights} weights for {n_models} models")
    return [_number("weight", text) for text in asked.weights]


def _check_models(method: MergeMethod, models: Sequence[CommitId]) -> None:
    n_models = len(models)
    low, high = method.min_models, method.max_models
    if not low <= n_models <= high:
        wanted = f"exactly {low}" if low == high else f"{low} to {high}"
        raise UsageError(f"method {method.id!r} merges {wanted} models, not {n_models}")
    twice = [model for model in models if models.count(model) > 1]
    if twice:
        raise UsageError(f"model {twice[0].short} is named twice")


def _check_base(method: MergeMethod, spec: MergeSpec) -> None:
    if method.takes_base and spec.base is None:
        raise UsageError(f"method {method.id!r} needs a base")
    if not method.takes_base and spec.base is not None:
        raise UsageError(f"method {method.id!r} takes no base")


def _check_known(method: MergeMethod, given: Mapping[str, str]) -> None:
    known = [param.name for param in method.params]
    if method.weight_param is not None:
        known.append(method.weight_param.name)
    for name in sorted(set(given) - set(known)):
        listed = ", ".join(known)
        raise UsageError(
            f"method {method.id!r} has no parameter {name!r}; it has {listed}"
        )


def _value(method: MergeMethod, param: Param, given: Mapping[str, str]) -> int:
    text = given.get(param.name)
    if text is None:
        if param.default is None:
            raise UsageError(f"method {method.id!r} needs parameter {param.name!r}")
        return param.default
    if param.kind is ParamKind.NUMBER:
        return _number(param.name, text)
    value = _FLAGS.get(text.lower()) if param.kind is ParamKind.FLAG else _whole(text)
    if value is None:
        raise UsageError(f"{param.name} is {text!r}, it must be {param.bounds}")
    return value


def _whole(text: str) -> int | None:
    return int(text) if text.isascii() and text.isdigit() and len(text) < 20 else None


def _number(name: str, text: str) -> int:
    """Billionths of a decimal; refuses what has more digits than are kept."""
    try:
        value = Decimal(text)
    except InvalidOperation as exc:
        raise UsageError(f"{name} is {text!r}, which is no number") from exc
    if not value.is_finite() or abs(value) > 10**6:
        raise UsageError(f"{name} is {text!r}, which is out of range")
    _, digits, exponent = value.as_tuple()
    if len(digits) > 20 or not isinstance(exponent, int) or exponent < -20:
        raise UsageError(f"{name} is {text!r}: at most nine decimals are kept")
    billionths = value * UNIT
    if billionths != int(billionths):
        raise UsageError(f"{name} is {text!r}: at most nine decimals are kept")
    return int(billionths)
