"""Metrics of sites summed up; hostile values are left out."""

import itertools
import math

import pytest

from flair_client.ids import Address
from flair_client.site_metrics import SiteMetrics, is_lower_better, summarise


def site(n, samples, **metrics):
    return SiteMetrics(Address(bytes([n]) * 32), samples, metrics)


@pytest.mark.parametrize(
    "name", ["log_loss", "loss", "val/mse", "TestError", "top1-err", "NLL"]
)
def test_a_smaller_loss_is_better(name):
    assert is_lower_better(name)


@pytest.mark.parametrize("name", ["auc", "accuracy", "glossary", "terror", "f1", ""])
def test_a_larger_score_is_better(name):
    assert not is_lower_better(name)


def test_mean_by_buckets_worst_site_and_spread():
    (auc, loss) = summarise(
        [site(1, 64, auc=0.9, loss=0.2), site(2, 16, auc=0.7, loss=0.6)]
    )

    assert (auc.name, auc.n_sites, auc.n_samples) == ("auc", 2, 80)
    assert auc.mean == pytest.approx((0.9 * 64 + 0.7 * 16) / 80)
    assert (auc.worst, auc.worst_site.raw[0]) == (0.7, 2)
    assert auc.spread == pytest.approx(0.2)
    assert (loss.worst, loss.lower_is_better) == (0.6, True)


def test_a_site_without_a_count_makes_the_mean_plain():
    (auc,) = summarise([site(1, 64, auc=0.9), site(2, None, auc=0.7)])

    assert auc.mean == pytest.approx(0.8)
    assert auc.n_samples == 64


def test_the_order_of_sites_does_not_matter():
    sites = [site(n, 2**n, auc=0.1 * n) for n in range(1, 5)]

    assert {summarise(order) for order in itertools.permutations(sites)} == {
        summarise(sites)
    }


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf, 1e308, -1.7e308])
def test_values_that_mean_nothing_are_left_out(value):
    assert summarise([site(1, 64, auc=value)]) == ()
    (auc,) = summarise([site(1, 64, auc=value), site(2, 8, auc=0.5)])
    assert (auc.n_sites, auc.mean) == (1, 0.5)


def test_nobody_states_nothing():
    assert summarise([]) == summarise([site(1, 64)]) == ()
