"""Each benchmark prints a table and its ratio to a peer or a limit, measured in the same run."""
