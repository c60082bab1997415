"""Metrics along a line of commits, from commits in memory."""

from dataclasses import replace

import pytest

from flair_client.encoding import encode_commit
from flair_client.ids import CODEC_DAG_CBOR, CommitId
from flair_client.objects import CommitKind
from flair_client.porcelain.log import log
from flair_client.porcelain.metric_history import effects_of, series_of, sites_of
from flair_client.porcelain.metrics_file import Evaluated
from flair_client.porcelain.reading import Reading
from flair_client.store import MemoryStore
from flair_client.testing_objects import make_address, make_commit, sign

SITES = (1, 2)


class Line:
    """A root and merges of two updates each, with what the sites state."""

    def __init__(self):
        self.store = MemoryStore()
        self.heads = [self.put(make_commit(CommitKind.ROOT))]
        self.commits = {}

    def put(self, commit, signer=SITES[0]):
        signed = sign(replace(commit, author=make_address(signer)), signer)
        commit_id = CommitId(
            self.store.put(CODEC_DAG_CBOR, encode_commit(signed)).digest
        )
        self.last = signed
        return commit_id

    def merge(self, *stated, metrics=None):
        updates = [
            self.put(
                replace(
                    make_commit(CommitKind.UPDATE),
                    parents=(self.heads[-1],),
                    metrics=one,
                ),
                signer,
            )
            for one, signer in zip(stated, SITES, strict=False)
        ]
        base = make_commit(CommitKind.MERGE)
        merge = replace(
            base,
            parents=(self.heads[-1], *sorted(updates)),
            strategy=replace(base.strategy, weights=(1,) * len(updates)),
            metrics=metrics,
            round_index=len(self.heads),
        )
        self.heads.append(self.put(merge))
        self.commits[self.heads[-1]] = self.last
        return self.heads[-1]

    def entries(self):
        return list(log(Reading(self.store, {}, self.heads[-1])))


@pytest.fixture
def line():
    made = Line()
    made.merge({"auc": 0.5}, {"auc": 0.7})
    made.merge({"auc": 0.8}, {"auc": 0.6, "only": 1.0})
    return made


def test_sites_are_summed_up_merge_by_merge(line):
    (auc,) = series_of(line.entries(), sites=line.store)

    assert (auc.name, auc.source) == ("auc", "sites")
    assert [one.value for one in auc.points] == pytest.approx([0.6, 0.7])
    assert [one.commit for one in auc.points] == line.heads[1:]
    assert [one.round_index for one in auc.points] == [1, 2]
    assert series_of(line.entries()) == ()


def test_what_commits_state_themselves_is_a_series(line):
    line.merge({"auc": 0.9}, {"auc": 0.9}, metrics={"f1": 0.25})
    line.merge({"auc": 0.9}, {"auc": 0.9}, metrics={"f1": 0.5, "once": 1.0})

    (f1,) = series_of(line.entries())

    assert (f1.name, f1.source) == ("f1", "commits")
    assert [one.value for one in f1.points] == [0.25, 0.5]


def test_of_several_measurements_the_last_counts_and_others_commits_do_not(line):
    one, two = line.heads[1:]
    stranger = CommitId(b"\7" * 32)
    evaluations = [
        Evaluated(two, "main", 4, {"log_loss": 9.0}, "icu"),
        Evaluated(one, "main", 4, {"log_loss": 3.0}, "icu"),
        Evaluated(two, "main", 4, {"log_loss": 2.0}, "icu"),
        Evaluated(stranger, "main", 4, {"log_loss": 7.0}, "icu"),
        Evaluated(one, "main", 4, {"log_loss": 7.0}, "other"),
    ]

    (loss,) = series_of(line.entries(), evaluations)

    assert (loss.source, loss.lower_is_better) == ("icu", True)
    assert [point.value for point in loss.points] == [3.0, 2.0]


def test_updates_that_are_missing_leave_the_others(line):
    merge = line.commits[line.heads[2]]
    for update in merge.parents[1:]:
        before = sites_of(line.store, merge)
        line.store.delete(update.cid)
        after = sites_of(line.store, merge)
        assert sum(one.n_sites for one in after) < sum(one.n_sites for one in before)

    assert sites_of(line.store, merge) == ()
    assert series_of(line.entries(), sites=line.store) == ()


def test_the_effect_is_the_difference_to_the_commit_before(line):
    one, two = line.heads[1:]
    evaluations = [
        Evaluated(one, "main", 4, {"auc": 0.55}, "icu"),
        Evaluated(two, "main", 4, {"auc": 0.65, "f1": 0.5}, "icu"),
    ]

    found = effects_of(line.store, two, line.commits[two], evaluations)

    by_key = {(effect.name, effect.source): effect for effect in found}
    assert (by_key["auc", "icu"].before, by_key["auc", "icu"].after) == (0.55, 0.65)
    assert by_key["f1", "icu"].before is None
    sites = by_key["auc", "sites"]
    assert (sites.before, sites.after) == (pytest.approx(0.6), pytest.approx(0.7))
    first = effects_of(line.store, one, line.commits[one])
    assert [(effect.source, effect.before) for effect in first] == [("sites", None)]
