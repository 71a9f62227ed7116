"""Which pictures are the same: tiers of results, and groups of a whole collection."""
