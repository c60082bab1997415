"""What a report gathers: influence, sites, validity; what it leaves out and says."""

from collections import Counter
from dataclasses import replace

import pytest
from history_world import OWNER, SITES
from report_world import Told

from flair_client.encoding import decode_commit
from flair_client.errors import BlockMissing, RefUnknown, UsageError
from flair_client.ids import CommitId
from flair_client.porcelain import report_history, report_rounds
from flair_client.porcelain.report import report
from flair_client.porcelain.report_history import Validity
from flair_client.porcelain.report_rounds import contributors_of


@pytest.fixture
def fresh():
    """A history of its own, to break."""
    return Told()


@pytest.fixture(scope="module")
def made(told):
    return report(told.reading(), evaluations=told.evaluations())


def test_contributors_are_summed_up_over_the_merges(told, made):
    by_who = {one.contributor: one for one in made.contributors}
    first, second, third = (by_who[site.address] for site in SITES[:3])

    assert [one.merged for one in (first, second, third)] == [4, 4, 3]
    assert [one.rejected for one in (first, second, third)] == [0, 0, 1]
    # Weights are 1, 2 and 4; the last is in three of four merges.
    assert [one.share for one in (first, second, third)] == [4 / 24, 8 / 24, 12 / 24]
    assert made.contributors == (third, second, first)
    assert first.l2 == pytest.approx(8**0.5 * (4 + 5 + 6 + 8) / 4 / 1024)


def test_the_cosine_tells_who_pushed_the_other_way(told, made):
    # Of round 1 all values are 4, 6 and -3: the sum is 4 + 2 * 6 - 4 * 3 > 0.
    first = made.rounds[-1]

    cosines = {one.contributor: one.cosine for one in first.updates}
    signs = [cosines[site.address] for site in SITES[:3]]
    assert signs == pytest.approx([1.0, 1.0, -1.0])


def test_epsilons_add_up_and_one_that_is_missing_leaves_no_bound(made):
    by_who = {one.contributor: one for one in made.contributors}
    first, third = by_who[SITES[0].address], by_who[SITES[2].address]

    assert first.epsilon == pytest.approx(4 * 0.5)
    assert first.delta == pytest.approx(4e-5)
    assert (third.epsilon, third.delta, third.n_stated) == (None, None, 0)


def test_sites_are_told_merge_by_merge(made):
    newest = {one.name: one for one in made.rounds[0].sites}

    assert newest["auc"].worst_site == SITES[2].address
    assert newest["auc"].spread == pytest.approx(0.1)
    assert newest["auc"].n_samples == 64 + 128 + 256
    assert newest["log_loss"].worst == pytest.approx(0.6 - 0.15 + 0.08)


def test_the_graph_has_the_branch_beside_and_the_models_that_were_merged(told, made):
    by_id = {one.commit: one for one in made.graph}

    assert by_id[told.side].on_line is False
    assert by_id[told.side].names == ("trial",)
    assert by_id[told.models].parents[1:] == (told.side,)
    assert by_id[told.revert].reverts.commit == told.merges[-1]
    assert by_id[told.last].parents == (told.models,)
    order = [one.commit for one in made.graph]
    for one in made.graph:
        assert all(order.index(one.commit) < order.index(p) for p in one.parents)


def test_validity_is_what_this_machine_knows(fresh):
    store = fresh.world.store
    forged = fresh.world.put_commit(
        OWNER,
        signed_by=SITES[0],
        **{
            name: getattr(decode_commit(store.get(fresh.side.cid)), name)
            for name in ("kind", "weights", "events", "parents")
        },
    )
    reading = fresh.reading(heads={"main": fresh.last, "forged": forged})

    found = {one.commit: one for one in report(reading).graph}

    assert found[fresh.root].validity is Validity.VERIFIED
    assert found[fresh.last].validity is Validity.SIGNED
    assert found[forged].validity is Validity.WRONG
    assert "sign" in found[forged].reason


def test_a_commit_that_is_gone_is_a_gap_in_the_graph(fresh):
    fresh.world.store.delete(fresh.merges[-1].cid)

    found = {one.commit: one for one in report(fresh.reading()).graph}

    assert found[fresh.merges[-1]].validity is Validity.UNREADABLE
    assert found[fresh.merges[0]].validity is Validity.VERIFIED


def test_updates_that_are_gone_are_named_and_the_rest_is_shown(fresh):
    merge = decode_commit(fresh.world.store.get(fresh.last.cid))
    fresh.world.store.delete(merge.parents[1].cid)

    made = report(fresh.reading())

    assert any(merge.parents[1].short in note for note in made.notes)
    assert len(made.rounds[0].updates) == 2
    assert sum(one.share for one in made.rounds[0].updates) < 1


def test_values_that_are_gone_leave_lengths_and_no_direction(fresh):
    merge = decode_commit(fresh.world.store.get(fresh.last.cid))
    before = report(fresh.reading())
    weights = fresh.world.head()[2]
    block = next(entry.blocks[0] for entry in weights.tensors if entry.role.is_shared)
    fresh.world.store.delete(block)

    made = report(fresh.reading())

    newest = made.rounds[0]
    assert [one.cosine for one in newest.updates] == [None] * 3
    assert [o.l2 for o in newest.updates] == [o.l2 for o in before.rounds[0].updates]
    assert made.changes is None
    assert len(made.notes) == 2
    assert merge.round_index == newest.round_index


def test_a_span_ends_at_its_first_commit(told):
    reading = told.reading()

    made = report(reading, "HEAD", since=str(told.merges[1]))

    assert made.line == (told.last, told.models, told.revert, told.merges[2])
    assert {one.commit for one in made.graph} == set(made.line)
    assert made.changes.before == told.merges[1]
    assert len(made.rounds) == 2


def test_what_is_not_before_the_head_is_no_span(told):
    with pytest.raises(UsageError, match="not before"):
        report(told.reading(), str(told.merges[0]), since=str(told.last))


def test_an_update_has_no_report(told):
    update = decode_commit(told.world.store.get(told.last.cid)).parents[1]

    with pytest.raises(UsageError, match="is an update"):
        report(told.reading(), str(update))


def test_what_is_not_there_is_not_reported(told):
    with pytest.raises(RefUnknown):
        report(told.reading(), "nothing-here")
    with pytest.raises(BlockMissing):
        report(told.reading(), str(CommitId(b"\7" * 32)))


def test_only_the_newest_commits_are_looked_at(told):
    made = report(told.reading(), limit=2)

    assert made.line == (told.last, told.models)
    assert made.more is True
    assert len(made.rounds) == 1


def test_a_long_history_has_bounded_parts(told, monkeypatch):
    monkeypatch.setattr(report_history, "MAX_ROWS", 5)
    monkeypatch.setattr(report_rounds, "MAX_MERGES", 2)
    monkeypatch.setattr(report_rounds, "MAX_VALUES", 8 * 5)

    made = report(told.reading())

    assert len(made.graph) == 5
    assert len(made.rounds) == 2
    assert [one.cosine is None for one in made.rounds[1].updates] == [True] * 3
    assert all(one.cosine is not None for one in made.rounds[0].updates)
    assert "updates of 2 older merges were not read" in made.notes
    assert "directions were compared in the newest merges only" in made.notes


def test_the_root_alone_has_a_report(told):
    made = report(told.reading(heads={}), str(told.root))

    assert (made.rounds, made.contributors, made.changes) == ((), (), None)


def test_whoever_was_only_rejected_is_listed_last(told, made):
    stranger = SITES[3].address

    found = contributors_of(made.rounds, Counter({stranger: 2}))

    assert found[-1].contributor == stranger
    assert (found[-1].merged, found[-1].rejected, found[-1].share) == (0, 2, 0.0)


def test_what_was_measured_here_is_a_series(told, made):
    by_key = {(one.name, one.source): one for one in made.series}

    assert len(by_key["auc", "icu"].points) == 6
    assert by_key["auc", "sites"].points[-1].commit == told.last
    assert replace(made, title="x").head_commit.commit == told.last
