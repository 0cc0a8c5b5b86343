"""Random draws. The last two attributes are the seed and the counter's offset."""
