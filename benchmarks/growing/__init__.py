"""What time, memory and disk do as images get more; `benchmarks/growth.py` puts it together."""
