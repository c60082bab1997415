"""Writes strategies.json: what strategies make of updates, worked out in plain Python.

Written from the formulas in docs/strategies.md, one value after the other, with
Python's integers, fractions and floats. Nothing of Flair is imported.

    python tests/vectors/make_strategies.py
"""

import json
import math
import random
from fractions import Fraction
from pathlib import Path

ONE = 1 << 24
REAL = 1 << 48


def half_even(value: Fraction) -> int:
    return round(value)


def root_half_even(value: Fraction) -> int:
    low = math.isqrt(value.numerator // value.denominator)
    middle = Fraction(2 * low + 1, 2) ** 2
    return low + (value > middle or (value == middle and low % 2 == 1))


def to_m(step: float, scale_exp: int) -> int:
    return half_even(Fraction(step) * Fraction(2) ** (24 - scale_exp))


def distance_sq(left, right):
    return sum((a - b) ** 2 for a, b in zip(left, right, strict=True))


def with_factors(case, factors):
    return [
        m + sum(f * d[i] for f, d in zip(factors, case["deltas"], strict=True))
        for i, m in enumerate(case["base"])
    ]


def fedavg(case, _params, _state):
    factor = half_even(Fraction(case["eta_q24"], sum(case["weights"])))
    return with_factors(case, [factor * weight for weight in case["weights"]]), {}


def mean_of(case, i):
    total = sum(w * d[i] for w, d in zip(case["weights"], case["deltas"], strict=True))
    return math.ldexp(float(total), case["scale_exp"]) / float(sum(case["weights"]))


def fedavgm(case, params, state):
    eta, momentum = case["eta_q24"] / ONE, params["momentum_q48"] / REAL
    made, kept = [], []
    for i, base in enumerate(case["base"]):
        m = momentum * state["m"][i] + mean_of(case, i)
        kept.append(m)
        made.append(base + to_m(eta * m, case["scale_exp"]))
    return made, {"m": kept}


def adaptive(second):
    def merge(case, params, state):
        eta, tau = case["eta_q24"] / ONE, params["tau_q48"] / REAL
        beta = params["beta_1_q48"] / REAL
        made, first_kept, second_kept = [], [], []
        for i, base in enumerate(case["base"]):
            mean = mean_of(case, i)
            m = beta * state["m"][i] + (1.0 - beta) * mean
            v = second(params, state["v"][i], mean * mean)
            made.append(base + to_m(eta * m / (math.sqrt(v) + tau), case["scale_exp"]))
            first_kept.append(m)
            second_kept.append(v)
        return made, {"m": first_kept, "v": second_kept}

    return merge


def adam(params, v, square):
    beta = params["beta_2_q48"] / REAL
    return beta * v + (1.0 - beta) * square


def yogi(params, v, square):
    beta = params["beta_2_q48"] / REAL
    sign = (v > square) - (v < square)
    return v - (1.0 - beta) * square * sign


def adagrad(_params, v, square):
    return v + square


def median(case, _params, _state):
    made = []
    for i, base in enumerate(case["base"]):
        ordered = sorted(delta[i] for delta in case["deltas"])
        n = len(ordered)
        middle = Fraction(ordered[(n - 1) // 2] + ordered[n // 2], 2)
        made.append(base + half_even(case["eta_q24"] * middle))
    return made, {}


def trimmed_mean(case, params, _state):
    f = params["f"]
    made = []
    for i, base in enumerate(case["base"]):
        kept = sorted(delta[i] for delta in case["deltas"])
        kept = kept[f : len(kept) - f]
        mean = Fraction(sum(kept), len(kept))
        made.append(base + half_even(case["eta_q24"] * mean))
    return made, {}


def multi_krum(case, params, _state, *, n_kept=None):
    deltas, f = case["deltas"], params["f"]
    n = len(deltas)
    n_kept = n_kept or params["m"] or n - f - 2
    scores = []
    for i, one in enumerate(deltas):
        far = sorted(
            distance_sq(one, other) for j, other in enumerate(deltas) if i != j
        )
        scores.append((sum(far[: n - f - 2]), i))
    best = {i for _, i in sorted(scores)[:n_kept]}
    factor = half_even(Fraction(case["eta_q24"], n_kept))
    return with_factors(case, [factor * (i in best) for i in range(n)]), {}


def krum(case, params, state):
    return multi_krum(case, params, state, n_kept=1)


def geometric_median(case, params, _state):
    """Weiszfeld on the points themselves; shares and lengths rounded down."""
    deltas = case["deltas"]
    shares = [1] * len(deltas)
    for _ in range(params["steps"]):
        total = sum(shares)
        point = [
            Fraction(sum(c * d[i] for c, d in zip(shares, deltas, strict=True)), total)
            for i in range(len(case["base"]))
        ]
        inverse = []
        for delta in deltas:
            length_sq = sum(
                (Fraction(d) - p) ** 2 for d, p in zip(delta, point, strict=True)
            )
            scaled = length_sq * (1 << 80)
            length = math.isqrt(scaled.numerator // scaled.denominator)
            inverse.append((1 << 104) // max(length, 1 << 40))
        shares = [(one << 64) // sum(inverse) for one in inverse]
    factors = [half_even(Fraction(case["eta_q24"] * c, sum(shares))) for c in shares]
    return with_factors(case, factors), {}


def norm_clipping(case, params, _state):
    n, eta = len(case["deltas"]), case["eta_q24"]
    bound = Fraction(params["norm_q48"], REAL) / Fraction(2) ** case["scale_exp"]
    factors = []
    for delta in case["deltas"]:
        norm_sq = sum(d * d for d in delta)
        if norm_sq <= bound**2:
            factors.append(half_even(Fraction(eta, n)))
        else:
            factors.append(root_half_even(bound**2 * eta**2 / (norm_sq * n**2)))
    return with_factors(case, factors), {}


def scaffold(case, params, state):
    n, eta = len(case["deltas"]), case["eta_q24"]
    rate, share = params["rate_q48"] / REAL, n / max(n, params["contributors"])
    kept = []
    for i, c in enumerate(state["c"]):
        total = sum(delta[i] for delta in case["deltas"])
        mean = math.ldexp(float(total), case["scale_exp"]) / float(n)
        kept.append(c - (c + mean / rate) * share)
    return with_factors(case, [half_even(Fraction(eta, n))] * n), {"c": kept}


def q48(text: str) -> int:
    return half_even(Fraction(text) * REAL)


ADAPTIVE = {
    "beta_1_q48": q48("0.9"),
    "beta_2_q48": q48("0.99"),
    "tau_q48": q48("0.001"),
}
STRATEGIES = {
    "fedavg": (fedavg, [{}]),
    "fedprox": (fedavg, [{}]),
    "fedavgm": (fedavgm, [{"momentum_q48": q48("0.9")}]),
    "fedadam": (adaptive(adam), [ADAPTIVE]),
    "fedyogi": (adaptive(yogi), [ADAPTIVE]),
    "fedadagrad": (
        adaptive(adagrad),
        [
            {"beta_1_q48": 0, "tau_q48": q48("0.001")},
            {"beta_1_q48": q48("0.5"), "tau_q48": 1},
        ],
    ),
    "median": (median, [{"f": 1}]),
    "trimmed_mean": (trimmed_mean, [{"f": 1}, {"f": 2}]),
    "krum": (krum, [{"f": 1}]),
    "multi_krum": (multi_krum, [{"f": 1, "m": 0}, {"f": 1, "m": 2}]),
    "geometric_median": (geometric_median, [{"f": 2, "steps": 6}]),
    "norm_clipping": (norm_clipping, [{"f": 2, "norm_q48": q48("0.75")}]),
    "scaffold": (
        scaffold,
        [
            {"rate_q48": q48("0.3"), "contributors": 0},
            {"rate_q48": (1 << 63) - 1, "contributors": 7},
        ],
    ),
}
MOMENTS = {
    "fedavgm": ("m",),
    "fedadam": ("m", "v"),
    "fedyogi": ("m", "v"),
    "fedadagrad": ("m", "v"),
    "scaffold": ("c",),
}


def rounds(n_updates: int, seed: int) -> list[dict[str, object]]:
    """Three rounds of small updates, one of zeros alone, and extreme values."""
    numbers = random.Random(seed)
    made = []
    for spread in (900, 0, 32767):
        deltas = [
            [numbers.randint(-spread, spread) for _ in range(5)]
            for _ in range(n_updates)
        ]
        if spread == 32767:
            deltas[0] = [-32768] * 5
            deltas[1] = list(deltas[2])
        made.append(
            {
                "deltas": deltas,
                "weights": [1 << numbers.randint(0, 8) for _ in deltas],
                "eta_q24": numbers.choice([ONE, ONE // 3, 4 * ONE]),
                "scale_exp": -10,
            }
        )
    return made


def cases():
    for name, (merge, params) in STRATEGIES.items():
        for chosen in params:
            for n_updates in (5, 6):
                base = [0, 1, -(1 << 40), 123_456_789_012, -77]
                state = {moment: [0.0] * 5 for moment in MOMENTS.get(name, ())}
                steps = []
                for step in rounds(n_updates, n_updates):
                    base, state = merge({**step, "base": base}, chosen, state)
                    kept = {key: [x.hex() for x in xs] for key, xs in state.items()}
                    steps.append({**step, "expected": base, "moments": kept})
                yield {"strategy": name, "params": chosen, "rounds": steps}


if __name__ == "__main__":
    text = json.dumps(list(cases()), separators=(",", ":"))
    Path(__file__).with_name("strategies.json").write_text(text + "\n")
