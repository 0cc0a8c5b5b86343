"""Short texts of nodes for boxes."""


def fitted(text, room, size):
    """The text, shortened to about `room` pixels at `size` pixels a line."""
    most = max(1, int(room / (size * 0.56)))
    return text if len(text) <= most else text[: most - 1] + "…"


def facts_text(model, node):
    """Shape and dtype, such as "3×4 float32"."""
    shape, dtype = model.shapes[model.shape[node]], model.dtypes[model.dtype[node]]
    return f"{size_text(shape)} {dtype}".strip()


def size_text(shape):
    """A shape as "3×4"."""
    return "" if shape is None else "×".join(map(str, shape)) or "scalar"


def settings_text(attrs):
    """Attributes as "dim=1, keepdim=True", without those that are not set."""
    return ", ".join(f"{k}={v}" for k, v in attrs.items() if v is not None and v is not False)
