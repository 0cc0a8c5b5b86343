"""Nested tuples, lists and dicts of tensors: taking them apart and putting them together again."""


def _named(value):
    return isinstance(value, tuple) and hasattr(value, "_fields")


def flatten(tree):
    """The leaves of a tree in order, and its structure (a tree of the same form with numbers as leaves)."""
    leaves = []

    def walk(value):
        if _named(value):
            return type(value)(*[walk(v) for v in value])
        if isinstance(value, (tuple, list)):
            return type(value)([walk(v) for v in value])
        if isinstance(value, dict):
            return {key: walk(v) for key, v in value.items()}
        leaves.append(value)
        return len(leaves) - 1

    return leaves, walk(tree)


def unflatten(leaves, structure):
    """The tree of the given structure with new leaves."""

    def walk(value):
        if _named(value):
            return type(value)(*[walk(v) for v in value])
        if isinstance(value, (tuple, list)):
            return type(value)([walk(v) for v in value])
        if isinstance(value, dict):
            return {key: walk(v) for key, v in value.items()}
        return leaves[value]

    return walk(structure)


def map_leaves(function, tree):
    """A tree of the same form with function(leaf) as leaves."""
    leaves, structure = flatten(tree)
    return unflatten([function(leaf) for leaf in leaves], structure)


def spread(prefix, tree, op):
    """One value for each leaf of `tree`: a prefix is a tree that may end early, its last value standing for all
    below."""
    out = []

    def walk(value, part):
        is_tree = isinstance(part, (tuple, list, dict))
        if value is None or isinstance(value, int) or not is_tree:
            out.extend([value] * len(flatten(part)[0]))
        elif isinstance(part, dict):
            if not isinstance(value, dict) or set(value) != set(part):
                raise ValueError(f"{op}: expected dims for the keys {sorted(part)}, got {value!r}.")
            for key, inner in part.items():
                walk(value[key], inner)
        else:
            if not isinstance(value, (tuple, list)) or len(value) != len(part):
                raise ValueError(f"{op}: expected dims for {len(part)} values, got {value!r}.")
            for inner_value, inner in zip(value, part, strict=True):
                walk(inner_value, inner)

    walk(prefix, tree)
    return out
