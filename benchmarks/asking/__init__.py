"""What `benchmarks.service` is made of: questions, clients, a running service, and the limit."""
