"""Lists and dicts that a node's arguments are made of: the graph keeps track of what they hold, so they do not change."""


def _refuse(self, *args, **kwargs):
    raise TypeError(
        f"{type(self).__name__}: expected no change, got one. Make a changed copy and assign it to node.args or node.kwargs."
    )


class immutable_list(list):  # noqa: N801  (torch's name)
    """A list that cannot be changed.

    Example:
        >>> immutable_list([1, 2]) == [1, 2]
        True
    """

    def __reduce__(self):
        return type(self), (list(self),)

    def __hash__(self):
        return hash(tuple(self))


class immutable_dict(dict):  # noqa: N801  (torch's name)
    """A dict that cannot be changed."""

    def __reduce__(self):
        return type(self), (dict(self),)

    def __hash__(self):
        return hash(frozenset(self.items()))


for _name in "append clear extend insert pop remove reverse sort __delitem__ __iadd__ __imul__ __setitem__".split():
    setattr(immutable_list, _name, _refuse)
for _name in "clear pop popitem setdefault update __delitem__ __ior__ __setitem__".split():
    setattr(immutable_dict, _name, _refuse)
