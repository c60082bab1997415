"""The API: as its own description says, for whatever is asked."""

import json

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, settings
from schemathesis import GenerationMode
from test_pages import paths

from flair_client.testing_objects import make_address

# What calls the site in this process does not unpack.
PLAIN = {"Accept-Encoding": "identity"}


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """One repository for all of this module."""
    from page_world import PageWorld

    from flair_client.objects import CommitKind

    made = PageWorld(tmp_path_factory.mktemp("api"), keep_s=0)
    made.story = made.model()
    made.story.commit(CommitKind.ROOT, message="the first model")
    made.story.open_round(1)
    made.story.push(2)
    yield made
    made.close()


def endpoints(model):
    repo = f"/repos{model.path}"
    return [
        *("/home", "/search?q=heart", "/health", f"/wallets/{make_address(2)}"),
        *(repo, f"{repo}/log", f"{repo}/log?branch=main&before=9"),
        *(f"{repo}/commits/{model.head}", f"{repo}/compare?a=main&b=main"),
        *(f"{repo}/rounds", f"{repo}/rounds/main/1", f"{repo}/policies"),
        *(f"{repo}/policies/0", f"{repo}/people", f"{repo}/queue"),
    ]


def described(site):
    return schemathesis.openapi.from_wsgi("/api/v1/openapi.json", site.app)


def test_every_endpoint_gives_what_its_description_says(site):
    schema = described(site)
    known = json.dumps(list(schema.raw_schema["paths"]))

    for path in endpoints(site.story):
        answer = site.client.get(f"/api/v1{path}")
        assert answer.status_code == 200, path
        assert answer.json["mirror"]["complete_slot"] == 60
    assert len(schema.raw_schema["paths"]) == 14, known


@pytest.mark.parametrize("mode", [GenerationMode.POSITIVE, GenerationMode.NEGATIVE])
def test_whatever_is_asked_is_answered_as_described(site, mode):
    """Values by the description, and against it; the same ones with each run."""
    schema = described(site)
    schema.config.generation.update(modes=[mode])
    bounded = settings(
        max_examples=8,
        derandomize=True,
        deadline=None,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    n_asked = []
    for found in schema.get_all_operations():
        operation = found.ok()

        def ask(case):
            case.call_and_validate(headers=PLAIN)
            n_asked.append(case)

        if not _can(operation, mode):
            continue
        test = schema_test(operation, mode, bounded, ask)
        test()

    assert len(n_asked) > 20


def _can(operation, mode):
    return mode is GenerationMode.POSITIVE or list(operation.iter_parameters())


def schema_test(operation, mode, bounded, ask):
    from hypothesis import given

    return bounded(given(case=operation.as_strategy(generation_mode=mode))(ask))


def test_a_place_in_a_list_that_is_none_finds_nothing(site):
    wallet = f"/wallets/{make_address(2)}"

    assert site.client.get(f"/api/v1{wallet}?before=5 {'1' * 33}").status_code == 404
    assert site.client.get(f"/api/v1{wallet}?before=x").status_code == 400
    assert site.client.get(f"/api/v1/search?after=a {'1' * 33}").status_code == 404


def test_real_values_of_the_path_are_answered_as_described(site):
    schema = described(site)
    creator, name = site.story.path.strip("/").split("/")
    known = {
        "creator": creator,
        "name": name,
        "commit_id": str(site.story.head),
        "branch": "main",
        "round_index": 1,
        "policy_index": 0,
        "wallet": str(make_address(2)),
    }

    for found in schema.get_all_operations():
        operation = found.ok()
        parts = {
            one.name: known[one.name]
            for one in operation.iter_parameters()
            if one.location == "path"
        }
        answer = operation.Case(path_parameters=parts).call_and_validate(headers=PLAIN)
        assert answer.status_code == 200, operation.path


def test_what_does_not_change_is_not_sent_again(world, story):
    for path in (*paths(story), f"/api/v1/repos{story.path}"):
        first = world.client.get(path)
        tag = first.headers["ETag"]
        again = world.client.get(path, headers={"If-None-Match": tag})
        assert (again.status_code, again.data) == (304, b""), path


def test_answers_are_small_over_the_wire(world, story):
    plain = world.client.get(story.path)
    for name in ("gzip", "br"):
        small = world.client.get(story.path, headers={"Accept-Encoding": name})
        assert small.headers["Content-Encoding"] == name
        assert len(small.data) < len(plain.data) / 2
        assert "Accept-Encoding" in small.headers["Vary"]


def test_the_same_page_is_made_once_a_moment_for_all_readers(tmp_path):
    from page_world import PageWorld

    made = PageWorld(tmp_path, keep_s=3600)
    made.model("heart")
    first = made.page("/")
    made.model("lung")
    kept = made.page("/")
    made.client.set_cookie("flair", "mine")
    own = made.page("/")
    made.close()

    assert kept == first
    assert "lung" in own, "whoever is signed in gets a page of their own"


def test_measurements_name_pages_and_no_readers(world, story):
    world.page(story.path)
    world.page("/nothing/here", 404)

    text = world.page("/metrics")

    assert 'flair_web_requests_total{page="repo.index",status="200"} 1.0' in text
    assert 'page="none",status="404"' in text
    assert "flair_web_mirror_behind_seconds 20.0" in text
    assert str(make_address(1)) not in text


def test_a_proxy_learns_whether_the_site_is_alive(world):
    assert world.client.get("/healthz").json == {"ok": True, "mirror": True}
