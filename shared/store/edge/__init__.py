"""The embedded store: one Qdrant Edge shard in a folder."""
