"""Operations with a gradient rule written in Python."""

import functools

from .. import _core
from .grad_mode import is_grad_enabled, no_grad

__all__ = ["Function", "FunctionCtx", "once_differentiable"]

_Tensor = _core.Tensor
_elsewhere = None  # set by wengert.func: apply on tensors that belong to a vmap, a jvp or a static graph


def set_elsewhere(handler):
    """Sets what is asked first: handler(function's class, arguments) gives (its result,), or None: run it as usual."""
    global _elsewhere
    _elsewhere = handler


class FunctionCtx(_core.FunctionContext):
    """What forward hands to backward: saved tensors, flags, and any attributes that the user sets."""

    def __init__(self, function, args):
        self._function = function
        self._to_save = ()
        self._materialize = True
        self._no_gradient = ()
        self._dirty = ()
        self._places = [k for k, a in enumerate(args) if isinstance(a, _Tensor)]
        self._count = len(args)
        self._results = ()
        # A graph made of the tape calls the function again.
        self.arguments = (
            tuple([None if isinstance(a, _Tensor) else a for a in args]) if function.repeatable else None
        )
        self.needs_input_grad = tuple(isinstance(a, _Tensor) and a.requires_grad for a in args)

    def name(self):
        """The node's name: that of the function's class with Backward behind it, or the one that the class gives."""
        return getattr(self._function, "_grad_name", None) or self._function.__name__ + "Backward"

    def save_for_backward(self, *tensors):
        """Keeps inputs, outputs or other tensors (or None) for backward; see `saved_tensors`."""
        for t in tensors:
            if t is not None and not isinstance(t, _Tensor):
                raise TypeError(
                    f"save_for_backward: expected tensors or None, got {type(t).__name__}. Set an attribute of ctx "
                    "instead."
                )
        self._to_save = tensors

    def save_for_forward(self, *tensors):
        """Keeps tensors for `jvp`; they are read with `saved_tensors`."""
        self.save_for_backward(*tensors)

    @property
    def saved_tensors(self):
        """What save_for_backward was given, as a tuple of tensors with their history.

        Raises RuntimeError where a backward pass has freed them, or where one was changed in place since.
        """
        if self._to_save:
            return tuple(self._to_save)
        return self.kept()

    def mark_dirty(self, *tensors):
        """Says that forward changed these inputs in place; forward must return them."""
        self._dirty = tensors

    def mark_non_differentiable(self, *tensors):
        """Says that these outputs have no gradient."""
        self._no_gradient = tensors

    def set_materialize_grads(self, value):
        """With False, backward gets None instead of zeros for outputs that nothing depends on."""
        self._materialize = bool(value)

    def run_backward(self, grads):
        """Called by the core: `grads` maps numbers of outputs to gradients; returns one for each tensor operand."""
        values = []
        for k, result in enumerate(self._results):
            g = grads.get(k)
            if g is None and result is not None and self._materialize:
                g = _core.full(result[0], 0.0, result[1])
            values.append(g)
        function = self._function
        rule = function.vjp if function.backward is Function.backward else function.backward
        results = rule(self, *values)
        if not isinstance(results, tuple):
            results = tuple(results) if isinstance(results, list) else (results,)
        if len(results) < self._count or any(r is not None for r in results[self._count :]):
            raise RuntimeError(
                f"{self.name()}: expected {self._count} gradients, one for each argument of forward, got "
                f"{len(results)}. Return None for arguments without a gradient."
            )
        out = []
        for k in self._places:
            g = results[k]
            if g is not None and not isinstance(g, _Tensor):
                raise TypeError(
                    f"{self.name()}: expected a Tensor or None for gradient {k}, got {type(g).__name__}."
                )
            out.append(g if self.needs_input_grad[k] else None)
        return out


def _same(t, others):
    return any(t is other for other in others)


class Function:
    """An operation whose gradient rule is written in Python. Subclass it and call `apply`.

    `forward(ctx, *args)` computes with recording off; `backward(ctx, *grads)` gets one gradient for each output and
    returns one (or None) for each argument of forward. Or leave ctx out of forward and define
    `setup_context(ctx, inputs, output)`. When backward uses differentiable operations, it can be differentiated
    again.

    Inside `vmap` the static method `vmap(info, in_dims, *args)` is called, which returns (outputs, out_dims);
    without one the function runs for each element of the batch. Forward mode needs `jvp(ctx, *grad_inputs)`.

    Example:
        >>> import wengert
        >>> class Cube(wengert.autograd.Function):
        ...     @staticmethod
        ...     def forward(ctx, x):
        ...         ctx.save_for_backward(x)
        ...         return x * x * x
        ...
        ...     @staticmethod
        ...     def backward(ctx, g):
        ...         (x,) = ctx.saved_tensors
        ...         return g * 3 * x * x
        >>> x = wengert.tensor(2.0, requires_grad=True)
        >>> Cube.apply(x).backward()
        >>> x.grad
        tensor(12.)
    """

    generate_vmap_rule = False
    repeatable = False  # whether contexts keep the arguments that are no tensors

    def __init__(self, *args, **kwargs):
        raise RuntimeError(
            f"{type(self).__name__}: expected a call of {type(self).__name__}.apply(...), got an instance. The "
            f"methods "
            "of a Function are static."
        )

    @staticmethod
    def forward(*args, **kwargs):
        """The computation; gets ctx first unless setup_context is defined."""
        raise NotImplementedError(
            "Function: expected a static method forward, got none. Define it in the subclass."
        )

    @staticmethod
    def setup_context(ctx, inputs, output):
        """Saves what backward needs; define it to have a forward without ctx."""
        raise NotImplementedError("Function: expected a static method setup_context, got none.")

    @staticmethod
    def backward(ctx, *grad_outputs):
        """The gradient rule."""
        raise NotImplementedError(
            "Function: expected a static method backward (or vjp), got none. Define it in the subclass."
        )

    @staticmethod
    def vjp(ctx, *grad_outputs):
        """Another name for backward."""
        raise NotImplementedError(
            "Function: expected a static method backward (or vjp), got none. Define it in the subclass."
        )

    @staticmethod
    def jvp(ctx, *grad_inputs):
        """The forward-mode rule: tangents of the arguments to tangents of the outputs."""
        raise NotImplementedError("Function: expected a static method jvp for forward mode, got none.")

    @classmethod
    def apply(cls, *args):
        """Runs forward on `args` and records the call where an argument requires grad."""
        if _elsewhere is not None and (found := _elsewhere(cls, args)) is not None:
            return found[0]
        ctx = FunctionCtx(cls, args)
        with no_grad():
            if cls.setup_context is Function.setup_context:
                output = cls.forward(ctx, *args)
            else:
                output = cls.forward(*args)
                cls.setup_context(ctx, args, output)
        single = not isinstance(output, tuple)
        outputs = [output] if single else list(output)
        inputs = [a for a in args if isinstance(a, _Tensor)]
        for k, t in enumerate(outputs):
            # An argument that is returned unchanged becomes a tensor of its own.
            if isinstance(t, _Tensor) and not _same(t, ctx._dirty) and _same(t, inputs):
                outputs[k] = t.detach()
                ctx._no_gradient = tuple(outputs[k] if n is t else n for n in ctx._no_gradient)
                ctx._to_save = tuple(t if s is t else s for s in ctx._to_save)
        if is_grad_enabled() and any(ctx.needs_input_grad):
            _record(ctx, inputs, outputs)
        else:
            ctx._to_save = ()
        return outputs[0] if single else tuple(outputs)


def _record(ctx, inputs, outputs):
    for t in ctx._dirty:
        if not _same(t, outputs):
            raise RuntimeError(
                f"{ctx.name()}: expected forward to return the tensors that it marked as dirty, got one that it "
                f"does "
                "not return."
            )
        if t.is_leaf and t.requires_grad:
            raise RuntimeError(
                f"{ctx.name()}: expected a tensor that may be changed, got a leaf that requires grad marked as "
                f"dirty. "
                "Write to a copy made with .clone()."
            )
    differentiable = [t if isinstance(t, _Tensor) and not _same(t, ctx._no_gradient) else None for t in outputs]
    ctx._results = tuple((tuple(t.shape), t.dtype) if isinstance(t, _Tensor) else None for t in outputs)
    saved = list(ctx._to_save)
    numbers = [next((k for k, t in enumerate(differentiable) if t is s and s is not None), -1) for s in saved]
    # Inputs are saved with the history that they have now; a dirty one gets the function's own below.
    ctx._to_save = ()
    ctx.keep(saved, numbers)
    ctx._dirty = ctx._no_gradient = ()
    _core.record_function(ctx, inputs, differentiable)


class _NotTwice(Function):
    """Stands behind gradients that cannot be differentiated: its own backward is the error."""

    @staticmethod
    def forward(ctx, name, *tensors):
        ctx.text = name
        return tuple(t.detach() for t in tensors)

    @staticmethod
    def backward(ctx, *grads):
        raise RuntimeError(
            f"backward: expected a gradient rule that can be differentiated, got that of {ctx.text}, which is "
            f"marked "
            "with once_differentiable."
        )


def once_differentiable(rule):
    """Decorates a `backward` whose operations are not recorded: differentiating its results is an error."""

    @functools.wraps(rule)
    def run(ctx, *grads):
        with no_grad():
            results = rule(ctx, *grads)
        if not is_grad_enabled():
            return results
        single = not isinstance(results, tuple)
        values = [results] if single else list(results)
        places = [k for k, v in enumerate(values) if isinstance(v, _Tensor)]
        marked = [values[k].detach().requires_grad_() for k in places]
        for k, t in zip(places, _NotTwice.apply(ctx.name(), *marked), strict=True):
            values[k] = t
        return values[0] if single else tuple(values)

    return run
