"""What ``python -m wengert`` shows: a training run, the facts of this installation, and a few measurements."""
