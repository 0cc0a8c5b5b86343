# Node objects: what grad_fn shows of the graph.

cdef object handle_type = None


def set_handle_type(kind):
    """Hands the core the class of what registering a hook returns."""
    global handle_type
    handle_type = kind


@cython.binding(False)
cdef class Node:
    """One node of the graph: an operation, or a leaf that accumulates."""
    cdef int32_t i
    cdef object __weakref__

    def __dealloc__(self):
        node_release(self.i)

    def name(self):
        """The node's name, such as MulBackward0."""
        return node_name(self.i)

    def __repr__(self):
        return f"<{self.name()}>"

    def __eq__(self, other):
        return isinstance(other, Node) and (<Node> other).i == self.i

    def __hash__(self):
        return self.i

    @property
    def op(self):
        """The op's name, "leaf" for a leaf, or the class name of a custom function."""
        if n_flags[self.i] & N_LEAF:
            return "leaf"
        if n_flags[self.i] & (N_FUNCTION | N_PICK):
            return node_name(self.i)
        return entry_of(n_prog[self.i].op).name

    @property
    def shape(self):
        """The shape of the result."""
        return shape_tuple(n_layout[self.i]) if n_layout[self.i] != NULL else None

    @property
    def dtype(self):
        """The dtype of the result."""
        return dtypes[n_dtype[self.i]] if n_layout[self.i] != NULL else None

    @property
    def sequence(self):
        """The moment of recording: larger is later."""
        return n_seq[self.i]

    @property
    def attributes(self):
        """The op's attributes as a dict."""
        if n_flags[self.i] & (N_LEAF | N_FUNCTION | N_PICK):
            return {}
        e = entry_of(n_prog[self.i].op)
        return dict(zip((<Entry> e).fields, decode_attrs(<Entry> e, <Attr*> n_owner[self.i])))

    @property
    def call(self):
        """Of a custom function (its context, None), of one of its results (its context, which result); else None."""
        if n_flags[self.i] & N_FUNCTION:
            return <object> n_owner[self.i], None
        if n_flags[self.i] & N_PICK:
            return <object> n_owner[n_in0[self.i]], n_nin[self.i]
        return None

    @property
    def variable(self):
        """The leaf tensor of an AccumulateGrad node."""
        if not n_flags[self.i] & N_LEAF:
            raise AttributeError("variable")
        return None if n_owner[self.i] == NULL else <object> <PyObject*> n_owner[self.i]

    @property
    def next_functions(self):
        """The nodes that this one's gradients flow to: pairs (node or None, 0)."""
        cdef list out = []
        cdef int k, n = n_nin[self.i]
        cdef int32_t j
        if n_flags[self.i] & N_LEAF:
            return ()
        if n_flags[self.i] & N_PICK:
            n = 1
        for k in range(n):
            j = node_input(self.i, k)
            out.append((make_node(j) if j >= 0 else None, 0))
        return tuple(out)

    def register_hook(self, hook):
        """Registers `hook(grad_inputs, grad_outputs)`; a tuple that it returns replaces the gradients of the inputs.
        Returns a handle with remove()."""
        return self._add_hook(hook, "node")

    def register_prehook(self, hook):
        """Registers `hook(grad_outputs)`, called before the node's rule; a tuple that it returns replaces the gradient.
        Returns a handle with remove()."""
        return self._add_hook(hook, "pre")

    def _add_hook(self, hook, str kind):
        cdef int32_t i = self.i
        if not callable(hook):
            raise TypeError(f"register_hook: expected a callable, got {type(hook).__name__}.")
        if kind == "node" and n_flags[i] & N_PICK:
            i = n_in0[i]
        hooks = own_hooks(i)
        key = (kind, len(hooks), id(hook), next_seq)
        hooks[key] = hook
        return handle_type(hooks, key)

    @property
    def metadata(self):
        """A dict that belongs to the node, for the user."""
        return own_hooks(self.i).setdefault(("metadata",), {})

    @property
    def freed(self):
        """Whether a backward pass has given the node's saved values back."""
        return bool(n_flags[self.i] & N_FREED)

    @property
    def line(self):
        """(file, line, function) of the user's code that recorded the node, where lines were recorded; else None."""
        notes = node_notes.get(n_seq[self.i])
        return None if notes is None else (<NodeNotes> notes).line

    @property
    def notes(self):
        """What was noted of the node (see wengert.record and wengert.profiler), or None."""
        return node_notes.get(n_seq[self.i])

    @property
    def saved_numbers(self):
        """The Python numbers among the operands that the gradient rule keeps: a dict from place to number."""
        cdef dict out = {}
        cdef Program* p = n_prog[self.i]
        cdef Array* a
        cdef int k
        if p == NULL or n_flags[self.i] & (N_LEAF | N_FUNCTION | N_PICK | N_FREED):
            return out
        for k in range(<int> p.saves.size()):
            a = node_saved(self.i, k)
            if p.saves[k].operand < n_nin[self.i] and a.layout != NULL and a.flags & kWeak:
                out[p.saves[k].operand] = item_of(a, 0)
        return out

    @property
    def saved_operands(self):
        """The operands that the gradient rule keeps: a dict from place to tensor (without history) or Python number.

        Raises:
            RuntimeError: one was changed in place since.
        """
        cdef dict out = {}
        cdef Program* p = n_prog[self.i]
        cdef Array* a
        cdef int k
        if p == NULL or n_flags[self.i] & (N_LEAF | N_FUNCTION | N_PICK | N_FREED | N_PACKED):
            return out
        for k in range(<int> p.saves.size()):
            a = node_saved(self.i, k)
            if p.saves[k].operand < n_nin[self.i] and a.layout != NULL and not p.saves[k].shape_only:
                check_saved(self.i, a)
                out[p.saves[k].operand] = borrowed_tensor(a)
        return out

    @property
    def absent_operands(self):
        """The places of operands that the op was called without."""
        cdef int k
        if n_prog[self.i] == NULL or n_flags[self.i] & (N_LEAF | N_FUNCTION | N_PICK):
            return ()
        return tuple([k for k in range(n_nin[self.i]) if k < 64 and n_prog[self.i].absent >> k & 1])

    def make_notes(self):
        """The node's notes, made where there are none."""
        return notes_of(self.i)


cdef dict node_classes = {}   # node's name -> a subclass of Node of that name: tools read type(t.grad_fn).__name__


cdef object make_node(int32_t i):
    cdef Node node
    name = node_name(i)
    kind = node_classes.get(name)
    if kind is None:
        kind = node_classes[name] = type(name, (Node,), {"__slots__": (), "__doc__": Node.__doc__})
    node = <Node> kind.__new__(kind)
    node.i = i
    n_refs[i] += 1
    return node


def node_of(Tensor t):
    """The node of any tensor that requires grad, leaves included; None for others."""
    if t.c.flags & T_VIEW:
        refresh_view(t)
    return None if t.c.node < 0 else make_node(t.c.node)


def give_histories(list results, list pairs, inputs):
    """Makes results without history (their numbers stand in the pairs) those of nodes whose saved values an earlier backward
    pass has freed; one that is an input itself is another tensor then."""
    cdef Tensor t
    cdef Node node
    for k, node in pairs:
        t = <Tensor?> results[k]
        for x in inputs:
            if x is t:
                t = detached(t)
                results[k] = t
                break
        if t.c.node < 0:
            t.c.node = node.i
            n_refs[node.i] += 1


def graph_nodes(list tensors):
    """All nodes that tensors' gradients flow through, latest first: a list of (Node, [places of its inputs or -1])."""
    cdef Order o
    cdef vector[int32_t] starts
    cdef Tensor t
    cdef int32_t k, j
    cdef int n, count
    global pass_counter
    for t in tensors:
        if t.c.flags & T_VIEW:
            refresh_view(t)
        if t.c.node >= 0:
            starts.push_back(t.c.node)
    if starts.size() == 0:
        return []
    pass_counter += 1
    order_make(&o, starts.data(), <int> starts.size())
    out = []
    try:
        for k in range(o.count):
            count = 0 if n_flags[o.nodes[k]] & N_LEAF else 1 if n_flags[o.nodes[k]] & N_PICK else n_nin[o.nodes[k]]
            places = []
            for n in range(count):
                j = node_input(o.nodes[k], n)
                places.append(n_pos[j] if j >= 0 else -1)
            out.append((make_node(o.nodes[k]), places))
    finally:
        order_free(&o)
    return out


def only_reaches(list tensors, list leaves):
    """Whether every leaf that the tensors' gradients flow to is one of `leaves`."""
    cdef Order o
    cdef vector[int32_t] starts
    cdef Tensor t
    cdef int32_t k, i
    cdef cbool yes = True
    cdef set known = set()
    global pass_counter
    for t in leaves:
        if t.c.node >= 0:
            known.add(t.c.node)
    for t in tensors:
        if t.c.flags & T_VIEW:
            refresh_view(t)
        if t.c.node >= 0:
            starts.push_back(t.c.node)
    if starts.size() == 0:
        return True
    pass_counter += 1
    order_make(&o, starts.data(), <int> starts.size())
    for k in range(o.count):
        i = o.nodes[k]
        if n_flags[i] & N_LEAF and n_owner[i] != NULL and i not in known:
            yes = False
            break
    order_free(&o)
    return yes
