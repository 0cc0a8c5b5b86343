# Rehearsals of graphs under a memory budget (csrc/include/wengert/rehearsal.h).

cdef extern from "wengert/rehearsal.h" namespace "wg":
    cppclass RehearsedNode:
        vector[int32_t] values
        vector[int32_t] results
        double cost
        cbool again
        cbool update
    cppclass CRehearsal "wg::Rehearsal":
        CRehearsal(vector[RehearsedNode], vector[int32_t], vector[double], vector[char], vector[int32_t]) except +
        cbool run(double) nogil
        vector[int32_t] order
        vector[int32_t] reads
        vector[int32_t] makes
        vector[int32_t] begins


@cython.binding(False)
cdef class Rehearsal:
    """A graph that is gone through with limits of bytes.

    Args:
        nodes: in order, tuples (values that it reads, values that it makes, cost, whether it may be made again, whether it
            overwrites tensors from outside).
        owner: of each value, the one whose memory it looks at.
        sizes: of each value, the bytes of its memory where it is an owner.
        fixed: values that are never dropped.
        given: values that are there from the start.
    """
    cdef unique_ptr[CRehearsal] made

    def __init__(self, list nodes, list owner, list sizes, fixed, given):
        cdef vector[RehearsedNode] all_nodes
        cdef RehearsedNode node
        cdef vector[char] is_fixed
        is_fixed.assign(len(owner), 0)
        for v in fixed:
            is_fixed[<size_t> v] = 1
        all_nodes.reserve(len(nodes))
        for values, results, cost, again, update in nodes:
            node.values, node.results = values, results
            node.cost, node.again, node.update = cost, again, update
            all_nodes.push_back(node)
        self.made.reset(new CRehearsal(all_nodes, owner, sizes, is_fixed, given))

    def run(self, double limit):
        """The nodes to run within so many bytes; None where recomputation would cost too many runs of the graph.

        Returns:
            Four lists: places of nodes, or minus 1 minus the place for copies; the values that they read, one after
            another; the values that they make; where in the first list runs of copies begin. New values are numbered from
            the number of owners on.
        """
        cdef CRehearsal* r = self.made.get()
        if not r.run(limit):
            return None
        return r.order, r.reads, r.makes, r.begins
