"""Keeps a feed connected: whatever happens between a server and the decoder."""
