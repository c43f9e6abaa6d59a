"""The command line: arguments, commands, a run in words, and where its log goes."""
