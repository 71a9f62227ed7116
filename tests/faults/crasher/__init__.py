"""A seeded crasher: files change and the daemon dies at random moments, and nothing may be lost."""
