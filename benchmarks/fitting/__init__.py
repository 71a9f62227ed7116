"""What `benchmarks.training` measures: epochs fed in different ways, and a whole training."""
