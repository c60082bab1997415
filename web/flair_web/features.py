"""Every part of the site in one list: a blueprint per package."""

from typing import Final

from flask import Blueprint

from flair_web.api.views import API
from flair_web.commit.views import COMMIT
from flair_web.compare.views import COMPARE
from flair_web.download.views import DOWNLOAD
from flair_web.feed.views import FEED
from flair_web.health.views import HEALTH
from flair_web.home.views import HOME
from flair_web.log.views import LOG
from flair_web.people.views import PEOPLE
from flair_web.policy.views import POLICY
from flair_web.queue.views import QUEUE
from flair_web.repo.views import REPO
from flair_web.rounds.views import ROUNDS
from flair_web.session.views import SESSION
from flair_web.signing.views import SIGNING
from flair_web.wallets.views import WALLETS

FEATURES: Final[tuple[Blueprint, ...]] = (
    HOME,
    REPO,
    LOG,
    COMMIT,
    COMPARE,
    ROUNDS,
    POLICY,
    PEOPLE,
    QUEUE,
    WALLETS,
    HEALTH,
    DOWNLOAD,
    FEED,
    API,
    SESSION,
    SIGNING,
)
