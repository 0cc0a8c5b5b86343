"""Hands the op table to the core, checks that both agree, and publishes the callables."""

from . import _core
from .ops import TABLE, trace_rule


def _bind():
    ops = {}
    for row in TABLE.values():
        entry = _core.register(row)
        if row.slot:
            _core.bind_slot(row.slot, entry)
        ops[row.name] = _core.make_op(entry)
    missing = _core.unbound_slots()
    if missing:
        raise ImportError(f"op table: no row for the operators {missing}")
    _core.set_tracer(trace_rule)
    return ops


OPS = _bind()
