# The op table as the core holds it: one Entry for each row, its rule programs, and attributes in and out of words.

cdef enum:
    SMALL = 3   # operands up to which a rule's programs are found by index instead of by key

cdef class Entry:
    """One op: the runtime's OpInfo, the row it came from, and the gradient programs traced so far."""
    cdef OpInfo* info
    cdef public object row
    cdef public str name
    cdef str schema
    cdef bytes kinds                   # the schema as C characters
    cdef tuple fields                  # names of the attributes
    cdef Program* small[64]            # by the operands that need a gradient + 8 * those that are absent
    cdef cbool differentiable
    cdef cbool fixed_rule              # one program serves all attributes and shapes
    cdef cbool variadic                # takes a list of tensors
    cdef dict programs                 # (mask, attributes, shapes) -> Program as a capsule-like holder
    cdef Attr* last_attr               # of the program found last, where it depends on attributes
    cdef int64_t last_mask
    cdef Program* last

    def __cinit__(self):
        memset(self.small, 0, sizeof(self.small))


cdef class ProgramHolder:
    """Keeps a traced program alive from Python."""
    cdef Program* p

    def __dealloc__(self):
        if self.p != NULL:
            program_decref(self.p)


cdef list entries = []
cdef dict entry_by_name = {}
cdef PyObject* entry_array[4096]
cdef object trace_rule = None   # set by _bind: (row, mask, attrs, shapes) -> traced rule
cdef dict composed_results = {}   # name of a row -> its results in differentiable ops; see set_composed


cdef inline Entry entry_of(const OpInfo* info):
    return <Entry> entry_array[info.id]


def register(row):
    """Registers a row of the op table; returns its Entry. Called once for each row at import."""
    cdef Entry e = Entry()
    cdef uint32_t flags = 0
    for flag in row.flags:
        if flag == "elementwise":
            flags |= kElementwise
        elif flag == "view":
            flags |= kView
        elif flag == "random":
            flags |= kRandom
        elif flag == "float_result":
            flags |= kFloatResult
        elif flag == "accumulates":
            flags |= kAccumulates
        elif flag == "divides":
            flags |= kDivides
        elif flag == "conjugates":
            flags |= kConjugates
        else:
            raise ValueError(f"op table: row {row.name!r} has the unknown flag {flag!r}")
    if not row.differentiable:
        flags |= kNoGrad
    if len(row.outputs) > MAX_RESULTS:
        raise ValueError(f"op table: row {row.name!r} has more than {<int> MAX_RESULTS} results")
    cdef OpInfo* info = op_register(row.name.encode(), row.forward.encode(), row.kernel.encode(),
                                    row.schema.encode(), -1 if row.variadic else len(row.inputs),
                                    len(row.outputs), flags)
    if info == NULL:
        raise_last()
    e.info = info
    e.row = row
    e.name = row.name
    e.schema = row.schema
    e.kinds = row.schema.encode()
    e.fields = tuple(row.fields)
    e.differentiable = row.differentiable
    e.fixed_rule = False
    e.variadic = row.variadic
    e.programs = {}
    entries.append(e)
    entry_by_name[row.name] = e
    entry_array[info.id] = <PyObject*> e
    return e


def set_tracer(tracer):
    """Hands the core the function that traces a rule (the op table's, in Python)."""
    global trace_rule
    trace_rule = tracer


def set_composed(str name, function):
    """Hands the core what stands in for a row with composed=True where its results need a history of their own:
    function(operands, attributes) -> list of tensors and None."""
    composed_results[name] = function


cdef list composed_call(Entry e, list operands, Attr* attr):
    """The results of a row with composed=True, with a history. Steals `attr`."""
    try:
        return list(composed_results[e.name](operands, decode_attrs(e, attr)))
    finally:
        attr_decref(attr)


# ---- attributes ---------------------------------------------------------------------------------------------

cdef int64_t float_bits(double v) noexcept:
    cdef int64_t bits
    memcpy(&bits, &v, 8)
    return bits


cdef double bits_float(int64_t bits) noexcept:
    cdef double v
    memcpy(&v, &bits, 8)
    return v


cdef int64_t attr_int(object v, str op, str field, object too_large=ValueError) except? -1:
    """An int argument; `too_large` is raised for one of more than 64 bits: TypeError where it is one of a sequence."""
    if PyLong_CheckExact(v):
        return int64_of(v, op, field, too_large)
    if isinstance(v, Tensor) and is_int((<Tensor> v).c.array.dtype) and (<Tensor> v).c.array.layout.numel == 1:
        return int64_of(v.item(), op, field, too_large)
    try:
        v = v.__index__()
    except AttributeError:
        raise TypeError(f"{op}: expected an int for {field}, got {type(v).__name__}.") from None
    return int64_of(v, op, field, too_large)


cdef int push_attr(vector[int64_t]& words, char kind, object v, str op, str field) except -1:
    """Appends one attribute. The kinds are the letters of the row's schema."""
    cdef int64_t word
    cdef double real
    if kind == c"i":
        word = attr_int(v, op, field)
    elif kind == c"b":
        word = 1 if v is True else 0 if v is False else 1 if v else 0
    elif kind == c"f":
        real = v
        word = float_bits(real)
    elif kind == c"d":
        word = (<DTypeObject> v).code if isinstance(v, DTypeObject) else attr_int(v, op, field)
    elif kind == c"I":
        if v is None:
            word = -1
        elif isinstance(v, (list, tuple)):
            word = len(v)
            words.push_back(word)
            for item in v:
                word = attr_int(item, op, field, TypeError)
                words.push_back(word)
            return 0
        else:
            word = 1
            words.push_back(word)
            word = attr_int(v, op, field)
    else:
        word = 0 if v is None else 1
        words.push_back(word)
        if v is None:
            return 0
        if kind == c"j":
            word = attr_int(v, op, field)
        else:
            real = v
            word = float_bits(real)
    words.push_back(word)
    return 0


cdef Attr* encode_attrs(Entry e, object values, Py_ssize_t start=0) except? NULL:
    """New Attr for a row's attributes, which are values[start:] in schema order; NULL for a row without any."""
    cdef vector[int64_t] words
    cdef Py_ssize_t k = 0, n = len(e.kinds)
    cdef const char* kinds = e.kinds
    if n == 0:
        return NULL
    if len(values) - start != n:
        raise TypeError(f"{e.name}: expected {n} attributes {e.fields}, got {len(values) - start}.")
    words.reserve(16)
    for k in range(n):
        push_attr(words, kinds[k], values[start + k], e.name, <str> e.fields[k])
    return attr_new(words.data(), <int> words.size())


cdef tuple decode_attrs(Entry e, const Attr* attr):
    """The attributes as Python values, in schema order."""
    cdef list out = []
    cdef int at = 0, n
    if attr == NULL:
        return ()
    for kind in e.schema:
        if kind == "I":
            n = <int> attr.words[at]
            at += 1
            if n < 0:
                out.append(None)
            else:
                out.append(tuple([attr.words[at + i] for i in range(n)]))
                at += n
        elif kind == "j" or kind == "g":
            at += 1
            if attr.words[at - 1] == 0:
                out.append(None)
            else:
                out.append(attr.words[at] if kind == "j" else bits_float(attr.words[at]))
                at += 1
        else:
            v = attr.words[at]
            at += 1
            out.append(bool(v) if kind == "b" else bits_float(v) if kind == "f" else dtypes[v] if kind == "d" else v)
    return tuple(out)


# ---- rule programs ------------------------------------------------------------------------------------------

cdef Program* build_program(object traced, const OpInfo* info) except NULL:
    """A runtime Program from a traced one (ops/_trace.py: Traced)."""
    cdef Program* p = new Program()
    cdef Instr* ins
    cdef Save save
    cdef AttrPart part
    cdef Entry e
    cdef Array constant
    cdef Attr* attr
    try:
        p.op = info
        p.given = traced.given
        p.nregs = traced.nregs
        for value in traced.constants:
            weak_array(value, &constant, "constant")
            p.constants.push_back(constant)
        for op_name, operands, out, attrs in traced.code:
            e = entry_by_name[op_name]
            p.code.resize(p.code.size() + 1)
            ins = &p.code.back()
            ins.op = e.info
            for r in operands:
                ins.inputs.push_back(r)
            ins.out = out
            if attrs is None:
                continue
            if attrs == "inherit":
                ins.inherits = True
            elif any(kind == "field" for kind, _ in attrs):
                for (kind, value), letter, name in zip(attrs, e.schema, e.fields):
                    part.words.clear()
                    part.field = -1
                    if kind == "field":
                        part.field = value
                    else:
                        push_attr(part.words, <char> ord(letter), value, e.name, name)
                    ins.parts.push_back(part)
            else:
                attr = encode_attrs(e, tuple([value for _, value in attrs]))
                ins.attr = attr
        for r in traced.results:
            p.results.push_back(r)
        for operand, reg, shape_only in traced.saves:
            save.operand = operand
            save.reg = reg
            save.shape_only = shape_only
            p.saves.push_back(save)
        program_finish(p)
    except BaseException:
        program_decref(p)
        raise
    return p


cdef Program* find_program(Entry e, int64_t mask, const Attr* attr, Array* ins, int nin, Array* outs) except NULL:
    """The program of e's rule for the operands in `mask`; borrowed from the table."""
    cdef Program* p
    cdef ProgramHolder holder
    cdef int64_t place = mask
    cdef int j, missing = 0
    for j in range(nin):
        if ins[j].layout == NULL:
            missing += 1
            if j < SMALL:
                place += 8 << j
    if e.fixed_rule and not e.variadic and nin <= SMALL and e.small[place] != NULL:
        return e.small[place]
    if e.last != NULL and missing == 0 and e.last_mask == mask and same_attr(e.last_attr, attr):
        return e.last
    attrs = decode_attrs(e, attr)
    shapes = None
    if e.row.shaped:
        shapes = tuple([shape_tuple(ins[k].layout) if ins[k].layout != NULL else None for k in range(nin)])
    # Absent operands change the rule as much as the mask does.
    absent = tuple([k for k in range(nin) if ins[k].layout == NULL])
    key = (mask, None, shapes, nin, absent)
    found = e.programs.get(key)
    if found is None:
        key = (mask, attrs, shapes, nin, absent)
        found = e.programs.get(key)
    if found is None:
        traced = trace_rule(e.row, mask, attrs, shapes, nin, absent)
        holder = ProgramHolder()
        holder.p = build_program(traced, e.info)
        for j in absent:
            holder.p.absent |= <uint64_t> 1 << j
        if traced.fixed:
            key = (mask, None, shapes, nin, absent)
            if shapes is None and nin <= SMALL and not e.variadic:
                e.fixed_rule = True
                e.small[place] = holder.p
        if len(e.programs) >= 4096:
            # Rules that depend on attributes may see any number of them. Small ones are never dropped.
            e.programs = {k: v for k, v in e.programs.items() if k[1] is None and k[2] is None}
            e.last = NULL
        e.programs[key] = holder
        found = holder
    p = (<ProgramHolder> found).p
    if attr != NULL and shapes is None and not absent and not e.variadic:
        attr_decref(e.last_attr)
        e.last_attr = attr_incref(<Attr*> attr)
        e.last_mask = mask
        e.last = p
    return p


cdef cbool same_attr(const Attr* a, const Attr* b) noexcept:
    return a == b or a != NULL and b != NULL and a.count == b.count and not memcmp(a.words, b.words, a.count * 8)


def op_names():
    """Names of all registered ops."""
    return list(entry_by_name)


def kernel_names():
    """Names of all kernels of the chosen instruction set's table."""
    cdef int k = 0
    names = set()
    while wg_kernel(k) != NULL:
        names.add((<bytes> wg_kernel(k).name).decode())
        k += 1
    return sorted(names)


cdef cbool is_read(Program* p, int reg) noexcept:
    """Whether an instruction or a result of a program reads a register."""
    for r in p.results:
        if r == reg:
            return True
    for k in range(p.code.size()):
        for r in p.code[k].inputs:
            if r == reg:
                return True
    return False
