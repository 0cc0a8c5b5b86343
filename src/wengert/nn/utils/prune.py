"""Pruning: parameters multiplied by masks of zeros and ones.

A pruned parameter `weight` is kept as `weight_orig` beside the buffer `weight_mask`; before every call their product
becomes the attribute `weight`.
"""

import numbers

import wengert

__all__ = [
    "BasePruningMethod",
    "CustomFromMask",
    "Identity",
    "L1Unstructured",
    "LnStructured",
    "PruningContainer",
    "RandomStructured",
    "RandomUnstructured",
    "custom_from_mask",
    "global_unstructured",
    "identity",
    "is_pruned",
    "l1_unstructured",
    "ln_structured",
    "random_structured",
    "random_unstructured",
    "remove",
]


class BasePruningMethod:
    """A way to choose what is pruned. Subclasses define `compute_mask` and `PRUNING_TYPE`.

    The types are "unstructured" (any element), "structured" (slices along an axis) and "global" (over parameters).
    """

    PRUNING_TYPE = None

    def __call__(self, module, inputs):
        setattr(module, self._tensor_name, self.apply_mask(module))

    def compute_mask(self, t, default_mask):
        """The mask for importances `t`, given the mask so far. Every method defines it."""
        raise NotImplementedError(f"{type(self).__name__}: expected compute_mask to be defined.")

    def apply_mask(self, module):
        """The product of the original parameter and its mask."""
        name = self._tensor_name
        return getattr(module, name + "_mask").to(getattr(module, name + "_orig").dtype) * getattr(
            module, name + "_orig"
        )

    @classmethod
    def apply(cls, module, name, *args, importance_scores=None, **kwargs):
        """Prune parameter `name` of `module`; on one that is pruned already, more of what is left.

        Args:
            importance_scores: of the parameter's shape, by which to choose; its values unless given.

        Returns:
            The method, which is a forward pre-hook of the module.
        """
        method = cls(*args, **kwargs)
        method._tensor_name = name
        before = _hook_of(module, name)
        if before is not None:
            key, old = before
            del module._forward_pre_hooks[key]
            container = old if isinstance(old, PruningContainer) else PruningContainer(old)
            container.add_pruning_method(method)
            method = container
        original = getattr(module, name + "_orig") if before is not None else getattr(module, name)
        scores = original if importance_scores is None else importance_scores
        if scores.shape != original.shape:
            raise AssertionError(
                f"prune: expected importance_scores of shape {tuple(original.shape)}, got {tuple(scores.shape)}."
            )
        if before is None:
            default = wengert.ones_like(original.detach())
        else:
            default = getattr(module, name + "_mask").detach().clone()
        mask = method.compute_mask(scores.detach(), default_mask=default)
        if before is None:
            module.register_parameter(name + "_orig", original)
            del module._parameters[name]
        module.register_buffer(name + "_mask", mask)
        setattr(module, name, method.apply_mask(module))
        module.register_forward_pre_hook(method)
        return method

    def prune(self, t, default_mask=None, importance_scores=None):
        """A pruned copy of the tensor `t`."""
        scores = t if importance_scores is None else importance_scores
        if scores.shape != t.shape:
            raise AssertionError(
                f"prune: expected importance_scores of shape {tuple(t.shape)}, got {tuple(scores.shape)}."
            )
        default_mask = wengert.ones_like(t) if default_mask is None else default_mask
        return t * self.compute_mask(scores, default_mask=default_mask)

    def remove(self, module):
        """Make the pruning permanent: the masked values become the parameter."""
        name = self._tensor_name
        original = module._parameters[name + "_orig"]
        with wengert.no_grad():
            original.data = self.apply_mask(module).detach()
        del module._parameters[name + "_orig"], module._buffers[name + "_mask"]
        module.__dict__.pop(name, None)
        setattr(module, name, original)


def _hook_of(module, name):
    """The pre-hook that prunes `name`, with its key, or None."""
    for key, hook in module._forward_pre_hooks.items():
        if isinstance(hook, BasePruningMethod) and hook._tensor_name == name:
            return key, hook
    return None


class PruningContainer(BasePruningMethod):
    """Several methods, one after the other, on the same parameter."""

    def __init__(self, *args):
        self._pruning_methods = ()
        methods = args[0] if len(args) == 1 and not isinstance(args[0], BasePruningMethod) else args
        self._tensor_name = methods[0]._tensor_name if methods else None
        for method in methods:
            self.add_pruning_method(method)

    def add_pruning_method(self, method):
        """Append a method for the same parameter."""
        if not isinstance(method, BasePruningMethod):
            raise TypeError(f"prune: expected a BasePruningMethod, got {type(method).__name__}.")
        if self._tensor_name is not None and method._tensor_name != self._tensor_name:
            raise ValueError(
                f"prune: expected a method for {self._tensor_name!r}, got one for {method._tensor_name!r}."
            )
        self._pruning_methods += (method,)

    def __len__(self):
        return len(self._pruning_methods)

    def __iter__(self):
        return iter(self._pruning_methods)

    def __getitem__(self, index):
        return self._pruning_methods[index]

    def compute_mask(self, t, default_mask):
        """The old mask, and within what it leaves the newest method's."""
        method = self._pruning_methods[-1]
        mask = default_mask.clone()
        if method.PRUNING_TYPE == "unstructured":
            chosen = mask == 1
        elif method.PRUNING_TYPE == "structured":
            axis = method.dim % t.dim()
            others = [d for d in range(t.dim()) if d != axis]
            kept = mask.sum(others) != 0 if others else mask != 0
            index = [slice(None)] * t.dim()
            index[axis] = kept
            chosen = tuple(index)
        elif method.PRUNING_TYPE == "global":
            chosen = (slice(None),) * t.dim()
        else:
            raise ValueError(f"prune: expected a PRUNING_TYPE, got {method.PRUNING_TYPE!r}.")
        mask[chosen] = method.compute_mask(t[chosen], default_mask=mask[chosen]).to(mask.dtype)
        return mask


class Identity(BasePruningMethod):
    """A mask of ones: nothing is pruned."""

    PRUNING_TYPE = "unstructured"

    def compute_mask(self, t, default_mask):
        """The old mask."""
        return default_mask


class _ByAmount(BasePruningMethod):
    """`amount` is a share in [0, 1] or a whole number of elements (slices)."""

    def __init__(self, amount):
        if not isinstance(amount, numbers.Real):
            raise TypeError(f"prune: expected a number as amount, got {amount!r}.")
        whole = isinstance(amount, numbers.Integral)
        if amount < 0 or (not whole and float(amount) > 1.0):
            raise ValueError(f"prune: expected an amount of at least 0, or a share in [0, 1], got {amount}.")
        self.amount = amount

    def _count(self, size):
        if not isinstance(self.amount, numbers.Integral):
            return round(self.amount * size)
        if self.amount > size:
            raise ValueError(f"prune: expected an amount of at most {size}, got {self.amount}.")
        return self.amount

    @staticmethod
    def _without(mask, flat_index):
        mask = mask.clone()
        mask.view(-1)[flat_index] = 0
        return mask


class RandomUnstructured(_ByAmount):
    """Elements drawn at random."""

    PRUNING_TYPE = "unstructured"

    def compute_mask(self, t, default_mask):
        """The mask without as many random elements."""
        count = self._count(t.numel())
        return self._without(default_mask, wengert.rand(t.numel()).topk(count).indices) if count else default_mask


class L1Unstructured(_ByAmount):
    """The elements of smallest size."""

    PRUNING_TYPE = "unstructured"

    def compute_mask(self, t, default_mask):
        """The mask without as many of the smallest elements."""
        count = self._count(t.numel())
        if not count:
            return default_mask
        return self._without(default_mask, t.abs().reshape(-1).topk(count, largest=False).indices)


class _Structured(_ByAmount):
    PRUNING_TYPE = "structured"

    def _keep(self, t, default_mask, scores):
        """The mask of the slices with the highest scores."""
        size = t.shape[self.dim]
        count = self._count(size)
        if not count:
            return default_mask
        kept = wengert.zeros(size, dtype=default_mask.dtype)
        kept[scores.topk(size - count).indices] = 1
        shape = [1] * t.dim()
        shape[self.dim] = size
        return default_mask * kept.reshape(shape)


def _check_axes(t):
    if t.dim() <= 1:
        raise ValueError(
            f"prune: expected a tensor of at least 2 axes to prune slices, got shape {tuple(t.shape)}."
        )


class RandomStructured(_Structured):
    """Slices along `dim` drawn at random."""

    def __init__(self, amount, dim=-1):
        super().__init__(amount)
        self.dim = dim

    def compute_mask(self, t, default_mask):
        """The mask without as many random slices."""
        _check_axes(t)
        return self._keep(t, default_mask, wengert.rand(t.shape[self.dim]))


class LnStructured(_Structured):
    """The slices along `dim` with the smallest n-norms."""

    def __init__(self, amount, n, dim=-1):
        super().__init__(amount)
        self.n = n
        self.dim = dim

    def compute_mask(self, t, default_mask):
        """The mask without as many slices of small norm."""
        _check_axes(t)
        others = [d for d in range(t.dim()) if d != self.dim % t.dim()]
        return self._keep(t, default_mask, wengert.norm(t, p=self.n, dim=others))


class CustomFromMask(BasePruningMethod):
    """A mask that is given."""

    PRUNING_TYPE = "global"

    def __init__(self, mask):
        self.mask = mask

    def compute_mask(self, t, default_mask):
        """The product of the old mask and the given one."""
        return default_mask * self.mask.to(default_mask.dtype)


def identity(module, name):
    """Prune nothing, but in the form of a pruned parameter; returns the module."""
    Identity.apply(module, name)
    return module


def random_unstructured(module, name, amount):
    """Prune random elements of parameter `name`: a share or a number; returns the module."""
    RandomUnstructured.apply(module, name, amount)
    return module


def l1_unstructured(module, name, amount, importance_scores=None):
    """Prune the smallest elements of parameter `name`: a share or a number; returns the module.

    Example:
        >>> layer = l1_unstructured(wengert.nn.Linear(4, 2), "weight", 0.5)
        >>> int((layer.weight == 0).sum()), sorted(layer.state_dict())
        (4, ['bias', 'weight_mask', 'weight_orig'])
    """
    L1Unstructured.apply(module, name, amount=amount, importance_scores=importance_scores)
    return module


def random_structured(module, name, amount, dim):
    """Prune random slices along `dim` of parameter `name`; returns the module."""
    RandomStructured.apply(module, name, amount, dim)
    return module


def ln_structured(module, name, amount, n, dim, importance_scores=None):
    """Prune the slices along `dim` of parameter `name` with the smallest n-norms; returns the module."""
    LnStructured.apply(module, name, amount, n, dim, importance_scores=importance_scores)
    return module


def custom_from_mask(module, name, mask):
    """Prune parameter `name` by a mask of its shape; returns the module."""
    CustomFromMask.apply(module, name, mask)
    return module


def global_unstructured(parameters, pruning_method, importance_scores=None, **kwargs):
    """Prune several parameters at once: what is chosen is chosen among all their elements.

    Args:
        parameters: pairs (module, name).
        pruning_method: an unstructured method.
        importance_scores: a dict from pairs to scores; values of the parameters where there are none.
        **kwargs: of the method, such as `amount`.
    """
    parameters = list(parameters)
    scores = importance_scores or {}
    if not isinstance(scores, dict):
        raise TypeError("global_unstructured(): importance_scores must be of type dict")
    if pruning_method.PRUNING_TYPE != "unstructured":
        raise TypeError(
            f'Only "unstructured" PRUNING_TYPE supported for the `pruning_method`. Found method {pruning_method} of type '
            f"{pruning_method.PRUNING_TYPE}"
        )
    tensors = [getattr(module, name) for module, name in parameters]
    ranked = [scores.get((m, n), t) for (m, n), t in zip(parameters, tensors, strict=True)]
    masks = [
        getattr(m, n + "_mask", wengert.ones_like(t.detach()))
        for (m, n), t in zip(parameters, tensors, strict=True)
    ]
    container = PruningContainer()
    container._tensor_name = "temp"
    method = pruning_method(**kwargs)
    method._tensor_name = "temp"
    container.add_pruning_method(method)
    flat = wengert.cat([t.detach().reshape(-1) for t in ranked])
    mask = container.compute_mask(flat, wengert.cat([m.reshape(-1) for m in masks]))
    start = 0
    for (module, name), tensor in zip(parameters, tensors, strict=True):
        custom_from_mask(module, name, mask[start : start + tensor.numel()].reshape(tensor.shape))
        start += tensor.numel()


def remove(module, name):
    """Make the pruning of parameter `name` permanent: its masked values become the parameter; returns the module.

    Raises ValueError where it is not pruned.
    """
    found = _hook_of(module, name)
    if found is None:
        raise ValueError(f"Parameter '{name}' of module {module} has to be pruned before pruning can be removed")
    key, method = found
    method.remove(module)
    del module._forward_pre_hooks[key]
    return module


def is_pruned(module):
    """Whether any parameter of the module, or of one below it, is pruned."""
    hooked = [m for m in module.modules() if m._hooks is not None]
    return any(isinstance(hook, BasePruningMethod) for m in hooked for hook in m._forward_pre_hooks.values())
