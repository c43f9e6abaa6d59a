"""Settings → feeds: what the command line, known feeds and a TOML file say together.

The parts: :mod:`~fastingest.config.toml_file` reads a file and knows its lines,
:mod:`~fastingest.config.parse` says what it describes (:mod:`~fastingest.config.spec`),
:mod:`~fastingest.config.symbols` what becomes of ``{symbols}``, and
:mod:`~fastingest.config.overrides` what the command line changes of that. The command line wins,
but for what is a list:

====================  ==============================================================================
setting               what it does to a feed of ``--feed`` or ``--config``
====================  ==============================================================================
``--url``             takes the place of its URL; there must be one feed only
``--symbols``         take the place of its ``default``
``--header``          is added, or takes the place of the header of the same name
``--subscribe``       is sent after its own subscriptions
``--columns``,        take the place of its own; each of them alone, and it must have one table only
``--rows``,
``--where``
``--compression``,    take the place of its own, where they are given (``off`` is not)
``--proxy``, files,
``--connect-timeout``,
``--stale-after``,
``--when-stale``
``--stale-by``        takes the place of its own, where one of its tables has that column; in one of
                      all feeds one must
``--out``             where it writes, if there is one table in all; if there are more, it is for
                      those that name no ``out``, nor does their feed
====================  ==============================================================================

The format of the file. Paths are relative to where the command is started. Texts may hold
``${NAME}``, ``${file:PATH}``, ``${command:WORDS}`` and ``${now:ms}``, see
:mod:`fastingest.access.references`::

    # Any option of the command line but --config and --feed, with - or _ and its unit. The
    # environment and the command line come before it.
    out = "trades.csv"                  # text; default: that of --out
    flush-interval = "100ms"
    max-rows = 1000000
    idle-timeout = "off"

    # For all feeds that do not say it themselves: compression, proxy, connect-timeout, ca-file,
    # cert-file, key-file, stale-after, when-stale.
    proxy = "http://proxy.example:3128"

    [[feed]]
    name = "venue"                      # text; default: the URL's host, or host and path
    url = "wss://host/path?streams={symbols}"   # text; needed, unless --url is given
    headers = ["X-Key: ${API_KEY}"]     # texts, or a table {X-Key = "${API_KEY}"}; default: none
    subscribe = [                       # one, or an array; default: none. Each of them is
        '{"op":"subscribe","args":["{symbol}"]}',          # a text, @FILE reads it from a file
        {op = "subscribe", args = ["{symbols}"]},          # or a table or an array, sent as JSON
        {send = "...", reply = ["$.event=subscribed"], timeout = "5s"},
    ]                                   # or a table with send (any of these), reply (conditions of
                                        # the message to wait for; default: do not wait), timeout
                                        # (default: 10s), refused (as below, for messages that
                                        # refuse this one, or of its symbols those that they name),
                                        # and per-message = 100, the most symbols in one {symbols}:
                                        # more go into several messages
    subscribe-every = "250ms"           # time from one of them to the next, at least; default: none
    per-connection = 30                 # the most symbols on one connection: for more, the feed has
                                        # several, each of which sends all of the above for its own
                                        # symbols; default: any number on one
    heartbeat = {send = '{"op":"ping"}', every = "20s"}    # or an array of them; default: none
    ignore = ["pong"]                   # texts that are neither row nor reject; default: none
    refused = ["$.success=false"]       # conditions, all of which hold of a message that says no to
                                        # something; or an array of such arrays; default: none
    retry-refused = "5s"                # what is refused is asked for again after so long, by the
                                        # same connection; default: not before the next one
    reconnect = ["$.type=info", "$.code=20051"]     # the same, of one that asks for another
                                        # connection; default: none
    answer = [{when = ["$.ping"], send = '{"pong":{$.ping}}'}]  # sent at once, when (as above) a
                                        # message is so; {$.path} is JSON out of it; default: none
    remember = {when = ["$.event=subscribed"], key = "$.chanId"}    # a message that is so (as
                                        # above) is remembered by the text at its key, until the
                                        # connection ends: then a column may be
                                        # symbol=$[0]|remembered.symbol; default: none
    inflate = "gzip"                    # what binary messages are compressed with: gzip, zlib, or
                                        # raw (DEFLATE alone); default: they are not
    stale-after = "30s"                 # duration: what has brought no row for so long is told as
                                        # stale; or "off"; default: that of --stale-after
    stale-by = "symbol"                 # a column: each of its values may be stale by itself, and
                                        # each of the symbols; default: the feed as a whole
    when-stale = "reconnect"            # or "warn"; default: that of --when-stale, or warn
    compression = "deflate"             # or "off"; default: off
    proxy = "socks5://host:1080"        # text, or "off"; default: that of the environment, see
                                        # fastingest.access.environment
    connect-timeout = "30s"             # duration; default: that of --connect-timeout
    ca-file = "ca.pem"                  # text; default: the system's authorities
    cert-file = "own.pem"               # text; default: none
    key-file = "own.key"                # text; default: it is in cert-file

    symbols.default = ["BTCUSDT"]       # texts; default: none. symbols = ["BTCUSDT"] says the same
    symbols.each = "{symbol}@trade"     # text; how one stands in {symbols}; default: {symbol}
    symbols.join = "/"                  # text; what stands between two; default: ,
    symbols.case = "lower"              # or "upper"; default: they stay as they are

    # A feed with one table has its keys itself.
    out = "venue.csv"                   # text; default: out above, or --out
    columns = "symbol:str=s, price:float=p"     # or an array with one each; default: messages are
                                        # told by themselves (symbol, price, volume)
    rows = "data"                       # path; "data?": that may have none; default: the message
                                        # itself. "data.*" and "data[*]" are of each in turn. Of
                                        # several: an array, or {bid = "data.b", ask = "data.a"}
    where = ["$.data.e=trade"]          # conditions, all of which must hold; default: none

    # One with several has this for each of them, in place of columns, rows and where.
    [[feed.table]]
    columns = ["bid:float=b", "ask:float=a"]    # needed; rows and where as above
    out = "quotes.csv"                  # text; or:
    name = "quotes"                     # text: write trades_quotes.csv where the feed's out, or
                                        # else --out, is trades.csv

A file with one feed may leave ``[[feed]]`` out, and have its keys at the top. One that has nothing
but options describes no feed, and goes with ``--url`` or ``--feed``.

Conditions of ``reply``, ``refused``, ``reconnect`` and ``when`` are of whole messages: besides
``$.event=error`` there are ``$.error`` (it is there, and not null), ``$.result=[]`` and
``$.result={}`` (it is empty), and ``$=ping`` (the message is that, and need not be JSON). ``[*]``,
once in a path, is any element of an array: ``$[*].T=error``. All such conditions of one array of
conditions must hold of the same element, and what is taken out of the message (words, symbols, the
``{$[*].id}`` of an answer) is that element's. Each element that is refused is a refusal. Messages
that bring a row are not asked.

In ``url``, and in ``send``, ``reply`` and ``refused`` of ``subscribe``, ``{symbols}`` is all
symbols, each as ``each`` says, with ``join`` between. What holds ``{symbol}`` is sent once for each
symbol (a URL cannot). Two feeds may write one file, if their headers are the same. So may two
tables of a feed, if the types are the same as well, and there is no ``@sequence``.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from fastingest.access.endpoint import check_feed
from fastingest.config.catalog import known_feed
from fastingest.config.overrides import Overrides, build_feeds, located
from fastingest.config.parse import read_config_file
from fastingest.config.settings import Settings
from fastingest.config.spec import ConfigFile
from fastingest.config.toml_file import TomlFile
from fastingest.errors import ConfigError, OptionError
from fastingest.model.feed import Feed

__all__ = ["feeds_of", "read_file"]


def feeds_of(settings: Settings) -> tuple[Feed, ...]:
    """The feeds that ``settings`` describe.

    :raises OptionError: they describe none, or something of them is wrong.
    :raises ConfigError: something in the file that they name is wrong.
    """
    overrides = Overrides.of(settings)
    if len(set(overrides.feed)) < len(overrides.feed):
        raise OptionError("feed", "the same feed is named twice")
    specs = [spec for name in overrides.feed for spec in known_feed(name).feeds]
    if overrides.config is not None:
        config_file = read_file(overrides.config, needs_url=not overrides.urls)
        if not (config_file.feeds or specs or overrides.urls):
            raise OptionError(
                "config", f"{overrides.config} describes no feed; add --url or --feed"
            )
        specs += config_file.feeds
        out = config_file.settings.get("out")
        if out is not None and overrides.out == Overrides.out:
            overrides = replace(overrides, out=out)
    feeds = build_feeds(specs, overrides)
    for index, feed in enumerate(feeds):
        try:
            check_feed(feed)
        except OptionError as error:
            raise (located(error, specs[index], overrides) if specs else error) from None
    return feeds


def read_file(path: Path, *, needs_url: bool) -> ConfigFile:
    """What the file at ``path`` says.

    :raises OptionError: it cannot be read.
    :raises ConfigError: it has a mistake, the first of them.
    """
    problems: list[ConfigError] = []
    config_file = read_config_file(TomlFile.read(path), problems, needs_url=needs_url)
    if problems:
        raise problems[0]
    return config_file
