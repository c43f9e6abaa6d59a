"""The other end of the socket: real servers, well-behaved and not, on 127.0.0.1 only."""
