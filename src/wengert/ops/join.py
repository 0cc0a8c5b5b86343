"""Joining, padding, flipping."""
