"""What each kind of event says about rows."""

import dataclasses
import typing

import pytest
from indexer_world import BRANCH

from flair_client.chain import events as ev
from flair_client.chain.accounts import MoveKind, PauseBits, PolicyParams, Scope
from flair_client.ids import Address, CommitId, Digest
from flair_indexer.changes import Put, Set
from flair_indexer.fold import Candidate, Fold, fold
from flair_indexer.project import project
from flair_indexer.tables import METADATA

A, B = Address(b"\x01" * 32), Address(b"\x02" * 32)


def params():
    return PolicyParams(
        bits=16,
        scale_exp=-10,
        weight_cap=8,
        min_updates=1,
        max_updates=4,
        n_params=1,
        norm_bound_sq=1,
        eta_q24=1 << 24,
        round_length_s=1,
        merge_grace_s=1,
        challenge_s=0,
        deposit_lamports=0,
    )


VALUES = {
    Address: A,
    Digest: Digest(b"\x03" * 32),
    CommitId: CommitId(b"\x04" * 32),
    PauseBits: PauseBits(0),
    Scope: Scope.CONTRIBUTE,
    bool: True,
    int: 1,
    str: "heart",
    MoveKind: MoveKind.SNAPSHOT,
    PolicyParams: params(),
}


def make(kind, **given):
    """An event of this kind, with any values that its layout allows."""
    hints = typing.get_type_hints(kind)
    made = {}
    for field in dataclasses.fields(kind):
        hint = hints[field.name]
        size = 512 if field.name == "merged" else 16
        made[field.name] = bytes(size) if hint is bytes else VALUES[hint]
    return kind(**(made | given))


@pytest.mark.parametrize("kind", ev.EVENT_KINDS.values(), ids=lambda one: one.__name__)
def test_each_kind_of_event_is_carried_out_on_columns_that_exist(kind):
    event = make(kind)

    for change in project(event, 0):
        table = METADATA.tables[change.table]
        names = set(getattr(change, "values", {})) | set(getattr(change, "where", {}))
        assert names <= set(table.c.keys())
        if isinstance(change, Put):
            assert set(change.values) == set(table.c.keys())
        else:
            keys = [column.name for column in table.primary_key]
            assert set(change.where) & set(keys), "touches one repository's rows"


def test_a_change_of_authority_voids_older_roles():
    accepted = make(
        ev.AuthorityAccepted, repo_seq=2, authority_epoch=1, new_authority=B
    )
    granted = make(ev.RoleGranted, repo_seq=3)
    candidates = [
        Candidate(2, bytes(32), b"2" * 32, accepted),
        Candidate(3, b"2" * 32, b"3" * 32, granted),
    ]

    state, changes = fold(Fold(A.raw, 1, bytes(32), 0), candidates)

    assert state == Fold(A.raw, 3, b"3" * 32, 1)
    assert changes[0] == Set(
        "repos",
        {"repo": A.raw},
        {"authority": B.raw, "pending_authority": bytes(32), "authority_epoch": 1},
    )
    assert changes[1].values["authority_epoch"] == 1


@pytest.mark.parametrize(
    ("seq", "prev_root"), [(3, bytes(32)), (2, b"x" * 32), (1, bytes(32))]
)
def test_what_does_not_follow_is_not_folded(seq, prev_root):
    begun = Fold(A.raw, 1, bytes(32))
    one = Candidate(seq, prev_root, b"y" * 32, make(ev.RepoSponsorSet, repo_seq=seq))

    assert fold(begun, [one]) == (begun, [])


def test_of_two_lines_the_one_that_was_begun_is_followed():
    events = [make(ev.RepoSponsorSet, repo_seq=seq) for seq in (1, 2)]
    candidates = [
        Candidate(1, bytes(32), b"a" * 32, events[0]),
        Candidate(1, bytes(32), b"b" * 32, events[0]),
        Candidate(2, b"b" * 32, b"c" * 32, events[1]),
        Candidate(2, b"a" * 32, b"d" * 32, events[1]),
    ]

    assert fold(Fold(A.raw), candidates)[0] == Fold(A.raw, 2, b"d" * 32)


def test_an_invite_is_used_up():
    used = make(ev.InviteRedeemed, uses_left=0, branch=BRANCH)
    role, gone = project(used, 4)

    assert role.values["authority_epoch"] == 4
    assert (gone.table, type(gone).__name__) == ("invites", "Remove")
    left = project(make(ev.InviteRedeemed, uses_left=3), 0)[1]
    assert left.values == {"uses_left": 3}
