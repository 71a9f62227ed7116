"""The HTTP service: questions, pictures and clusters for browsers and programs."""
