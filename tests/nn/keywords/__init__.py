"""Tables of calls: every module of nn with every keyword of its constructor, run by test_every_keyword.py."""
