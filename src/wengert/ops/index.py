"""Gather, scatter and masks."""
