"""The command line: arguments, what a run shows, and where its log goes."""
