"""Watches folders, encodes pictures, keeps the store true to the disk."""
