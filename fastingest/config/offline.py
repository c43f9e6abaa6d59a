"""The feed that settings describe, for reading its messages where nothing is connected to.

So what a connect needs may be missing: a URL, symbols, secrets, files for TLS. Where several feeds
are described, ``feed`` names the one that is meant; elsewhere it names a known feed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from fastingest.config.catalog import known_feed
from fastingest.config.overrides import Overrides, build_feeds
from fastingest.config.resolve import read_file
from fastingest.config.settings import Settings
from fastingest.config.spec import FeedSpec
from fastingest.errors import OptionError, UsageError
from fastingest.model.feed import Feed

__all__ = ["feed_offline"]

_NOWHERE = "wss://feed/"
_MAX_NAMED = 10


def feed_offline(settings: Settings) -> Feed:
    """The one feed that ``settings`` describe, with all that they change of it.

    :raises OptionError: they describe none, several, or something of it is wrong.
    :raises ConfigError: something in the file that they name is wrong.
    """
    overrides = Overrides.of(settings)
    if overrides.config is not None:
        specs = read_file(overrides.config, needs_url=False).feeds
        if specs:
            return _chosen(list(map(_ready, specs)), overrides)
    known = [_ready(spec) for name in overrides.feed for spec in known_feed(name).feeds]
    count = len(known) or len(overrides.urls)
    if count > 1:
        raise UsageError(f"{count} feeds are named, and messages are of one; name one of them")
    if not count:
        overrides = replace(overrides, url=(_NOWHERE,))
    return build_feeds(known, overrides)[0]


def _ready(spec: FeedSpec) -> FeedSpec:
    """``spec``, with something in the place of what only a connect needs."""
    return replace(spec.with_symbols(), url=spec.url or _NOWHERE)


def _chosen(specs: Sequence[FeedSpec], overrides: Overrides) -> Feed:
    """The feed of a file that is meant."""
    file, wanted = overrides.config, overrides.feed
    everything = build_feeds(specs, Overrides(out=overrides.out))
    names = [feed.name for feed in everything]
    named = ", ".join([*names[:_MAX_NAMED], *(["…"] if len(names) > _MAX_NAMED else [])])
    if len(wanted) > 1:
        raise OptionError("feed", "messages are of one feed; name one of them")
    if wanted and wanted[0] not in names:
        raise OptionError("feed", f"{file} has no feed {wanted[0]!r}; it has {named}")
    if not wanted and len(names) > 1:
        problem = f"messages are of one feed; {file} has {len(names)}, name one of them: {named}"
        raise OptionError("feed", problem)
    index = names.index(wanted[0]) if wanted else 0
    (feed,) = build_feeds([replace(specs[index], name=names[index])], overrides)
    if len(specs) == 1:
        return feed
    # Where it writes depends on the others.
    pairs = zip(feed.tables, everything[index].tables, strict=True)
    return replace(feed, tables=tuple(replace(own, out=each.out) for own, each in pairs))
