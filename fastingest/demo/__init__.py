"""A synthetic exchange on loopback, so that the main job runs with no endpoint.

``settings`` reads a ``demo://`` URL, ``market`` makes up the trades, ``pace`` says when each is
due, and ``exchange`` sends them. ``python -m fastingest.demo`` runs the exchange alone.
"""

from __future__ import annotations

from fastingest.demo.exchange import Exchange, main, serve
from fastingest.demo.market import Market
from fastingest.demo.settings import DemoSettings, parse

__all__ = ["DemoSettings", "Exchange", "Market", "main", "parse", "serve"]
