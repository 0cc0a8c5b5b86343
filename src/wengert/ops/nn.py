"""Fused layers, with backward ops that have rows of their own."""
