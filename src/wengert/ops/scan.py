"""Scans, sorting, variance."""
