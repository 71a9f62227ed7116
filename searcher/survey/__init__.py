"""The clusters of a collection: sizes, samples, spread, and a map."""
