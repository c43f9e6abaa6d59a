"""A synthetic exchange on loopback, so that the main job runs with no endpoint.

``settings`` reads a ``demo://`` URL, ``market`` makes up the trades, ``pace`` says when each is
due, and ``exchange`` sends them. ``python -m fastingest.demo`` runs the exchange alone.
"""
