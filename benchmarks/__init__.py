"""Benchmarks of wengert against its peers: ``python -m benchmarks --help``."""
