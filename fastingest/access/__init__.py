"""What a connect needs, and what must stay hidden: secrets, endpoints, TLS."""
