"""Bytes alive at each step of a model."""

import numpy as np

from ._rules import rule_facts, shares_memory


def alive(model):
    """See Model.alive."""
    last = model.steps
    if not len(model):
        return np.zeros(1, np.int64)
    shares = np.array([shares_memory(op) for op in model.ops.values], bool)[model.op] & ~model.backward
    end = model.step.copy()
    values = ~model.backward[model.source]  # a gradient has been handed on when its own step is done
    np.maximum.at(end, model.source[values], model.step[model.target[values]])
    end[(model.step == 0) & ~model.backward] = last
    _keep_saved(model, end)
    end[model.outputs] = last
    _keep_bases(model, shares, end)
    start = model.step.copy()
    # A gradient's memory is there from its first contribution, which the node before it makes.
    between = model.backward[model.source] & model.backward[model.target]
    np.minimum.at(start, model.target[between], model.step[model.source[between]])
    of_leaf = model.backward.copy()
    of_leaf[of_leaf] = model.step[model.link[of_leaf]] == 0
    end[of_leaf] = last
    size = np.where(shares, 0, model.bytes)
    change = np.zeros(last + 2, np.int64)
    np.add.at(change, start, size)
    np.add.at(change, end + 1, -size)
    return np.cumsum(change)[:-1]


def _keep_saved(model, end):
    """Extends values to the backward step of the nodes whose rules read them."""
    edges = np.flatnonzero(~model.backward[model.target] & (model.link[model.target] >= 0))
    if not len(edges):
        return
    targets = model.target[edges]
    counts = np.zeros(len(model), np.int32)
    np.maximum.at(counts, targets, model.place[edges] + 1)
    kinds = np.stack([model.op[targets], model.attrs[targets], counts[targets]], 1)
    kinds, which = np.unique(kinds, axis=0, return_inverse=True)
    which = which.ravel()
    for k, (op, attrs, count) in enumerate(kinds):
        places, result, _ = rule_facts(model.ops[op], int(count), model.attrss[attrs])
        chosen = edges[which == k]
        readers = model.step[model.link[model.target[chosen]]]
        reads = np.isin(model.place[chosen], places)
        np.maximum.at(end, model.source[chosen[reads]], readers[reads])
        if result:
            np.maximum.at(end, model.target[chosen], readers)


def _keep_bases(model, shares, end):
    """What a view lives in lives as long as the view."""
    edges = np.flatnonzero(shares[model.target] & (model.place == 0))
    while True:
        before = end[model.source[edges]]
        np.maximum.at(end, model.source[edges], end[model.target[edges]])
        if np.array_equal(before, end[model.source[edges]]):
            return
