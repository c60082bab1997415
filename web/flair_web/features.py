"""Every part of the site in one list: a blueprint per package."""

from typing import Final

from flask import Blueprint

from flair_web.home.views import HOME

FEATURES: Final[tuple[Blueprint, ...]] = (HOME,)
