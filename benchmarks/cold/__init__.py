"""What `benchmarks.cold_query` is made of."""
