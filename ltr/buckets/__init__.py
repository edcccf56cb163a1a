"""Buckets of an object store: objects, locks, and working copies of folders."""
