"""How good the answers of a collection are, measured with the files of a folder."""
