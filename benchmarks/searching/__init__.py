"""One cluster searched in the embedded store and by its peers; `benchmarks/search.py` reports."""
