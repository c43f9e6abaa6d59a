"""Text → options and feeds: the command line, configuration files, the known feeds."""
