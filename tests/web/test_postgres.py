"""The same pages over PostgreSQL."""

import pytest
from test_pages import paths

from flair_client.objects import CommitKind


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """A site over a server of our own."""
    import page_world  # noqa: F401 - puts the builder of servers on the path
    from own_postgres import own_postgres, why_not
    from page_world import PageWorld

    if why_not():
        pytest.skip(why_not())
    with own_postgres() as server:
        made = PageWorld(tmp_path_factory.mktemp("pages"), server.new_database())
        made.story = made.model()
        made.story.commit(CommitKind.ROOT, message="the first model")
        made.story.open_round(1, state="aborted")
        made.story.open_round(2)
        made.story.push(2, index=2)
        made.model("lung")
        yield made
        made.close()


def test_every_page_comes_from_postgres_as_well(site):
    model = site.story
    for path in [*paths(model), f"/api/v1/repos{model.path}", "/api/v1/health"]:
        site.page(path)

    assert "lung" in site.page("/search?q=LUN")


@pytest.mark.parametrize("query", ["q=%00", "q=%00%ff", "q=%25_%5c", "q=" + "9" * 64])
def test_postgres_is_asked_for_no_character_that_it_does_not_take(site, query):
    assert "No repository" in site.page(f"/search?{query}") or query == "q=%00"
    site.page("/search?after=%00", 404)
    site.page(f"/api/v1/search?{query}")
