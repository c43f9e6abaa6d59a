"""What stands beside the tables: what was asked for, and what the server says to that."""
