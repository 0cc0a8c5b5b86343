"""Modules as functions of their parameters."""

from ._levels import call


def _places(module, remove_duplicate):
    """Full name -> (dict that holds the tensor, name in it) for parameters and buffers of a module and its
    children."""
    places = {}
    for prefix, child in module.named_modules(remove_duplicate=remove_duplicate):
        for store in (child._parameters, child._buffers):
            for name in store:
                places[f"{prefix}.{name}" if prefix else name] = (store, name)
    return places


def functional_call(module, parameter_and_buffer_dicts, args=None, kwargs=None, *, tie_weights=True, strict=False):
    """Calls a module with other tensors in the place of its parameters and buffers; the module itself is unchanged.

    Args:
        module: an nn.Module.
        parameter_and_buffer_dicts: full names to tensors, or a sequence of such dicts. Names that are left out keep
            their own tensors.
        args: the module's argument, or a tuple of them.
        kwargs: its named arguments.
        tie_weights: a tensor that several names share is replaced under all of them.
        strict: raise where names are missing or unknown.

    Raises:
        ValueError: a name occurs in two dicts, or two names of one tensor get different tensors.
        RuntimeError: names do not fit, with strict=True.

    Example:
        >>> import wengert
        >>> layer = wengert.nn.Linear(2, 1, bias=False)
        >>> wengert.func.functional_call(layer, {"weight": wengert.ones(1, 2)}, wengert.ones(1, 2))
        tensor([[2.]])
    """
    if isinstance(parameter_and_buffer_dicts, dict):
        values = dict(parameter_and_buffer_dicts)
    else:
        values = {}
        for part in parameter_and_buffer_dicts:
            for name, value in part.items():
                if name in values:
                    raise ValueError(f"functional_call: expected every name once, got {name!r} in two dicts.")
                values[name] = value
    places = _places(module, remove_duplicate=False)
    unknown = [name for name in values if name not in places]
    if strict and (unknown or set(places) - set(values)):
        missing = sorted(set(places) - set(values))
        raise RuntimeError(
            f"functional_call: expected all names of the module, got unknown {unknown}, missing {missing}."
        )
    if unknown and not strict:
        raise KeyError(f"functional_call: expected names of parameters and buffers, got {unknown}.")
    if tie_weights:
        shared = {}
        for name, (store, key) in places.items():
            if store[key] is not None:
                shared.setdefault(id(store[key]), []).append(name)
        for names in shared.values():
            given = [values[name] for name in names if name in values]
            if any(v is not given[0] for v in given):
                raise ValueError(
                    f"functional_call: expected one tensor for the tied names {names}, got different ones."
                )
            if given:
                values.update(dict.fromkeys(names, given[0]))
    before = {name: places[name][0][places[name][1]] for name in values}
    if args is None:
        args = ()
    try:
        for name, value in values.items():
            store, key = places[name]
            store[key] = value
        return module(*(args if isinstance(args, tuple) else (args,)), **(kwargs or {}))
    finally:
        for name, value in before.items():
            store, key = places[name]
            store[key] = value


def stack_module_state(models):
    """Parameters and buffers of modules of one kind, stacked: for vmap over an ensemble.

    Returns:
        (parameters, buffers): dicts from full names to tensors with one more dimension in front. Parameters require
        grad where the models' do.

    Raises:
        RuntimeError: there are no models, or they are of different classes or in different modes.
    """
    models = list(models)
    if not models:
        raise RuntimeError("stack_module_state: expected at least one model, got none.")
    if any(type(m) is not type(models[0]) for m in models):
        raise RuntimeError("stack_module_state: expected models of one class, got several.")
    if any(m.training != models[0].training for m in models):
        raise RuntimeError(
            "stack_module_state: expected models in one mode, got some in train() and some in eval()."
        )

    def stacked(columns, leaf):
        out = {}
        for name in columns[0]:
            column = [c[name].detach() for c in columns]
            joined = call("stack", *column, attrs=(0,))
            out[name] = joined.requires_grad_() if leaf and columns[0][name].requires_grad else joined
        return out

    return (
        stacked([dict(m.named_parameters()) for m in models], True),
        stacked([dict(m.named_buffers()) for m in models], False),
    )
