"""Scale on paper: what 1 million to a billion images need, computed and simulated from figures that
were measured here or that Qdrant documents. It prints the tables of `docs/scale.md`."""
