"""Every part of the site in one list: a blueprint per package."""

from typing import Final

from flask import Blueprint

from flair_web.commit.views import COMMIT
from flair_web.home.views import HOME
from flair_web.log.views import LOG
from flair_web.repo.views import REPO
from flair_web.session.views import SESSION
from flair_web.signing.views import SIGNING

FEATURES: Final[tuple[Blueprint, ...]] = (
    HOME,
    REPO,
    LOG,
    COMMIT,
    SESSION,
    SIGNING,
)
