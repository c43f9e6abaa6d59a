"""Which decoder a feed has."""

from __future__ import annotations

from fastingest.decode.decoder import Decoder
from fastingest.decode.feed_decoder import FeedDecoder
from fastingest.model.feed import Feed

__all__ = ["decoder_of"]


def decoder_of(feed: Feed, batch_size: int) -> Decoder:
    """The decoder for a feed."""
    schemas = [table.schema for table in feed.tables]
    return FeedDecoder(schemas, batch_size, feed.name, feed.ignore)
