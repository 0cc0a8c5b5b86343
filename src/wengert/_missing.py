"""The error for a name that the package does not have: it suggests the nearest one, or says what stands instead.

Tensors have no such hook: a Python-level attribute fallback would double the time of every method call. Python
itself adds "Did you mean" to the traceback of an unknown attribute.
"""

# Names of torch that are left out on purpose, and what to do.
INSTEAD = {
    "cuda": "This library computes on the CPU only; leave out .cuda() and device arguments",
    "mps": "This library computes on the CPU only; leave out device arguments",
    "xpu": "This library computes on the CPU only; leave out device arguments",
    "distributed": "One process computes; there are no collectives",
    "sparse_coo_tensor": "Tensors are dense; use index_add or gather",
    "sparse_csr_tensor": "Tensors are dense; use index_add or gather",
    "quantize_per_tensor": "Integer dtypes are there, quantised ones are not",
    "onnx": "Export the state with wengert.save and load it where the model is rebuilt",
    "Variable": "A Tensor with requires_grad=True is what Variable was",
    "FloatTensor": "Use wengert.tensor(data, dtype=wengert.float32)",
    "DoubleTensor": "Use wengert.tensor(data, dtype=wengert.float64)",
    "LongTensor": "Use wengert.tensor(data, dtype=wengert.int64)",
    "IntTensor": "Use wengert.tensor(data, dtype=wengert.int32)",
    "BoolTensor": "Use wengert.tensor(data, dtype=wengert.bool)",
    "ByteTensor": "Use wengert.tensor(data, dtype=wengert.uint8)",
}


def nearest(name, known):
    """The public name of `known` that is closest to `name`, or None."""
    from difflib import get_close_matches

    public = sorted(n for n in known if not n.startswith("_"))
    # The same letters come first: another case, underscores left out, two letters swapped.
    letters = sorted(name.lower().replace("_", ""))
    same = [n for n in public if sorted(n.lower().replace("_", "")) == letters]
    found = same or get_close_matches(name, public, n=1, cutoff=0.6)
    return found[0] if found else None


class MissingName(AttributeError):
    """An AttributeError whose text is made when it is read: probing with hasattr() stays cheap."""

    def __init__(self, owner, name, known):
        super().__init__(owner, name)
        self.owner, self.known = owner, known
        # `obj` stays unset, so that Python adds no suggestion of its own.
        self.name = name

    def __str__(self):
        text = f"{self.owner}: expected a name that it has, got {self.name!r}."
        if self.name in INSTEAD:
            return f"{text} {INSTEAD[self.name]}."
        found = nearest(self.name, self.known)
        return f"{text} Did you mean {found!r}?" if found else f"{text} See dir({self.owner})."

    def __reduce__(self):
        return type(self), (self.owner, self.name, list(self.known))


def module_error(module, name, known):
    """The exception for an unknown name of a module of the package.

    Args:
        module: the module's name, "wengert" or "wengert.nn".
        name: the name that was asked for.
        known: the names that the module has; read only when the text is made.
    """
    return MissingName(module, name, known)
