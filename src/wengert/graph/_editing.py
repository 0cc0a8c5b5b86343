"""Graphs as things that are looked at and changed."""

from ..func._levels import is_tensor
from ..ops import TABLE
from ._compare import differences
from ._lines import user_line
from ._symbols import Dim, evaluate, loop_length, same_sizes
from ._verify import check_shapes, sorted_nodes, verify


class Editing:
    """Methods of Graph that walk and change its nodes. Values are given by number, by name, or as symbolic tensors."""

    def number(self, value):
        """The number of a value: a symbolic tensor, a name, or the number itself.

        Raises:
            KeyError, IndexError: there is no such value.
        """
        if is_tensor(value):
            return self.frame.value_of(value)
        if isinstance(value, str):
            return self.frame.value_of(self.tensor(value))
        if type(value) is not int or not 0 <= value < len(self.shapes):
            raise IndexError(f"number: expected the number of a value below {len(self.shapes)}, got {value!r}.")
        return value

    def copy(self):
        """A graph of its own with the same nodes, numbers and states."""
        made = type(self)(self.name)
        made.nodes = [node.copy() for node in self.nodes]
        for name in ("shapes", "dtypes", "names", "inputs", "states", "outputs", "writes", "grads", "fixed"):
            setattr(made, name, type(getattr(self, name))(getattr(self, name)))
        made.symbols, made.guards = list(self.symbols), list(self.guards)
        made.structure, made.repeats = self.structure, self.repeats
        return made

    # ---- looking --------------------------------------------------------------------------------------------------

    def edges(self):
        """Pairs (node that makes a value or None, node that reads it, the value), in the order of the readers."""
        producers = self.producers()
        return [(producers.get(v), node, v) for node in self.nodes for v in node.values]

    def consumers(self, value):
        """The nodes that read a value."""
        v = self.number(value)
        return [node for node in self.nodes if v in node.values]

    def verify(self):
        """Checks that the graph is legal: origins and order of values, operands, attributes, shapes, dtypes, ends.

        Raises:
            GraphError: it is not; the message names the node, the line that made it, and the values of a cycle.
        """
        verify(self)

    def check_shapes(self):
        """Checks that the shapes and dtypes of all values are what the ops make of their operands."""
        check_shapes(self)

    def differences(self, other):
        """What tells two graphs apart, as a list of sentences; empty where they compute the same in the same way.

        Numbers of values, names of values and lines do not count; the order of nodes counts only where values depend on
        each other. States are compared by kind, shape and dtype.
        """
        return differences(self, other)

    # ---- changing -------------------------------------------------------------------------------------------------

    def sort(self):
        """Puts the nodes in an order in which operands come first.

        Raises:
            GraphError: there is a cycle.
        """
        self.nodes = sorted_nodes(self)
        self._changed()

    def _changed(self):
        self._plan = None
        self._frame = None  # cells of symbolic tensors may hold values that are gone

    def replace(self, old, new):
        """Lets everything that reads `old` read `new`: nodes, outputs and writes.

        Nodes that `new` itself depends on keep `old` where `new` is made from it.

        Raises:
            RuntimeError: another shape or dtype.
        """
        a, b = self.number(old), self.number(new)
        if not same_sizes(self.shapes[a], self.shapes[b]) or self.dtypes[a] != self.dtypes[b]:
            raise RuntimeError(
                f"replace: expected a value of shape {tuple(self.shapes[a])} and {self.dtypes[a]}, got "
                f"{tuple(self.shapes[b])} and {self.dtypes[b]}."
            )
        keep = self._ancestors([b])
        for node in self.nodes:
            if id(node) not in keep:
                node.inputs = tuple([b if type(v) is int and v == a else v for v in node.inputs])
        self.outputs = [(name, b if v == a else v) for name, v in self.outputs]
        self.writes = {target: b if v == a else v for target, v in self.writes.items()}
        self.grads = {target: b if v == a else v for target, v in self.grads.items()}
        self.sort()

    def _ancestors(self, values):
        """The ids of the nodes that values depend on."""
        producers = self.producers()
        found, todo = set(), list(values)
        while todo:
            node = producers.get(todo.pop())
            if node is not None and id(node) not in found:
                found.add(id(node))
                todo.extend(node.values)
        return found

    def remove(self, node):
        """Takes a node out whose results nothing reads.

        Raises:
            RuntimeError: a result is read by a node, an output or a write.
            ValueError: the node is not of this graph.
        """
        if not any(node is other for other in self.nodes):
            raise ValueError(f"remove: expected a node of graph {self.name!r}, got {node!r}.")
        for v in node.results:
            readers = self.consumers(v)
            if readers or v in self.roots():
                who = readers[0].op if readers else "an output or a write"
                raise RuntimeError(
                    f"remove: expected a node whose results are not read, got {self.label(v)}, which {who} reads. Use "
                    "replace() first."
                )
        self.nodes = [other for other in self.nodes if other is not node]
        self._changed()

    def prune(self):
        """Removes nodes and states that no output, write or gradient depends on; returns the number of nodes removed."""
        effects = [node for node in self.nodes if node.effect]
        roots = self.roots() + [v for node in effects for v in node.values]
        keep = self._ancestors(roots) | {id(node) for node in effects}
        before = len(self.nodes)
        self.nodes = [node for node in self.nodes if id(node) in keep]
        read = {v for node in self.nodes for v in node.values} | set(roots) | set(self.writes) | set(self.grads)
        self.states = {v: state for v, state in self.states.items() if v in read}
        self._changed()
        return before - len(self.nodes)

    def insert(self, op, inputs, attrs=(), before=None):
        """Inserts a row of the op table before a node (at the end without one).

        Args:
            op: the name of the row.
            inputs: its operands: values, Python numbers in tuples of one, or None.
            attrs: the attributes in the order of the row's fields, or a dict; those with defaults may be left out.
            before: the node to stand before.

        Returns:
            The node.
        """
        row = TABLE.get(op)
        if row is None:
            raise ValueError(f"insert: expected an op of the table, got {op!r}.")
        if isinstance(attrs, dict):
            values = []
            for name, default in zip(row.fields, row.defaults, strict=True):
                if name not in attrs and default is row.required:
                    raise TypeError(f"insert: expected an attribute {name!r} of {op}, got none.")
                values.append(attrs.get(name, default))
            unknown = set(attrs) - set(row.fields)
            if unknown:
                raise TypeError(f"insert: expected attributes among {row.fields} of {op}, got {sorted(unknown)}.")
            attrs = tuple(values)
        operands = [v if v is None or type(v) is tuple else self.number(v) for v in inputs]
        node = self.apply(op, operands, tuple(attrs), line=user_line())
        if before is not None:
            places = [k for k, other in enumerate(self.nodes) if other is before]
            if not places:
                self.drop_last()
                raise ValueError(f"insert: expected a node of graph {self.name!r}, got {before!r}.")
            self.nodes.insert(places[0], self.nodes.pop())
            known = {*self.inputs, *self.states}
            for other in self.nodes[: places[0]]:
                known.update(other.results)
            late = [v for v in node.values if v not in known]
            if late:
                self.nodes.remove(node)
                raise RuntimeError(f"insert: expected operands made before {before.op}, got {self.label(late[0])}.")
        self._changed()
        return node

    def extract(self, inputs, outputs, name=None):
        """The part of the graph between values as a graph of its own; this one stays as it is.

        Args:
            inputs: values that become inputs of the new graph.
            outputs: values that it computes from them and from states.
            name: its name.

        Raises:
            RuntimeError: an output depends on an input of this graph that is not among `inputs`.
        """
        starts, ends = [self.number(v) for v in inputs], [self.number(v) for v in outputs]
        producers = self.producers()
        needed, todo, seen = set(), list(ends), set()
        while todo:
            v = todo.pop()
            if v in seen or v in starts:
                continue
            seen.add(v)
            node = producers.get(v)
            if node is not None:
                needed.add(id(node))
                todo.extend(node.values)
            elif v not in self.states:
                raise RuntimeError(
                    f"extract: expected outputs that depend on {[self.label(s) for s in starts]} only, got one that "
                    f"depends on {self.label(v)}. Add it to the inputs."
                )
        made = type(self)(name or f"part of {self.name}")
        made.symbols, made.guards, made.repeats = list(self.symbols), list(self.guards), self.repeats
        numbers = {}
        for v in starts:
            numbers[v] = made.add_input(self.shapes[v], self.dtypes[v], self.names.get(v, ""))
        for v, state in self.states.items():
            if v in seen:
                numbers[v] = made.add_state(state.tensor, state.name, state.kind)
        made._splice([node for node in self.nodes if id(node) in needed], numbers, self)
        made.outputs = [("", numbers[v]) for v in ends]
        return made

    def _splice(self, nodes, numbers, source, scope=()):
        """Appends copies of another graph's nodes; `numbers` maps its values to those here and is completed."""
        lengths = {}  # of stacks of while_loops, which are named after the loop's first result
        for node in nodes:
            inputs = [numbers[v] if type(v) is int else v for v in node.inputs]
            if node.op == "while_loop":
                lengths[loop_length(node.results[0])] = Dim.named(loop_length(len(self.shapes)))
            specs = [(evaluate(tuple(source.shapes[v]), lengths), source.dtypes[v]) for v in node.results]
            copy = node.copy()
            if copy.payload and "length" in copy.payload:
                copy.payload["length"] = evaluate(copy.payload["length"], lengths)
            made = self.add_node(node.op, inputs, node.attrs, specs, (*scope, *node.scope), node.line, copy.payload)
            made.gradient_of = numbers.get(node.gradient_of)
            numbers.update(zip(node.results, made.results, strict=True))

    # ---- composing ------------------------------------------------------------------------------------------------

    def call(self, graph, *inputs):
        """Uses a graph as a node of this one: the op "call". Its states become states of this graph.

        Args:
            graph: the graph; it is copied.
            inputs: symbolic tensors, one for each of its inputs, of its shapes and dtypes.

        Returns:
            Its output, or a tuple of its outputs.

        Raises:
            RuntimeError: other inputs, or a graph that writes states.
        """
        from ._composition import call

        return call(self, graph, inputs)

    def inline(self):
        """Replaces every node "call" by the nodes of its graph, also inside; returns the number of calls replaced.

        A call of a graph that repeats its random numbers stays where this one draws new ones, and the other way round.
        """
        from ._composition import inline

        return inline(self)
