# Static plans: the core's side of a compiled graph (csrc/include/wengert/plan.h).

_region_kinds = {"call": <int> RegionKind.kCall, "cond": <int> RegionKind.kCond, "while_loop": <int> RegionKind.kWhile,
                 "scan": <int> RegionKind.kScan, "host": <int> RegionKind.kHost, "replay": <int> RegionKind.kReplay}


cdef int plan_host(void* arg, int i) noexcept:
    try:
        if i == kDraw:
            (<StaticPlan> arg).draw_ranges()
        elif i == kDrawOn:
            (<StaticPlan> arg).draw_segment()
        elif i == kStandAt:
            (<StaticPlan> arg).stand_at_place()
        elif i == kPutBack:
            (<StaticPlan> arg).put_back()
        else:
            (<StaticPlan> arg).hosts[i](<StaticPlan> arg)
    except BaseException as error:
        (<StaticPlan> arg).failure = error
        return -1
    return 0


cdef int plan_interrupt(void* arg) noexcept with gil:
    try:
        PyErr_CheckSignals()
    except BaseException as error:
        (<StaticPlan> arg).failure = error
        return -1
    return 0


cdef enum:
    PRESET = -2   # PlanDraw.same: the range is given from outside


cdef struct PlanDraw:
    int32_t call
    int32_t same      # an earlier draw whose numbers these are again (a gradient rule repeats them); -1: none
    int kind
    int dtype
    int64_t n


cdef CPlan.Feed slices(int slot, Tensor whole, int64_t n) noexcept:
    """A tensor of n slices as what the runs read or write one after another."""
    cdef CPlan.Feed f
    f.slot = slot
    f.data = whole.c.array.data()
    f.bytes = whole.c.array.nbytes() // n if n else 0
    return f


cdef void hold(Tensor t, vector[Storage*]& held) noexcept:
    if t.c.array.storage != NULL:
        storage_incref(t.c.array.storage)
        held.push_back(t.c.array.storage)


class PlanBusy(RuntimeError):
    """A plan was called while it ran: from another thread, or from inside the run."""


@cython.binding(False)
cdef class StaticPlan:
    """A graph with its memory laid out: built call by call, finished once, run any number of times."""
    cdef CPlan p
    cdef readonly list hosts
    cdef list parts                   # plans that regions run
    cdef object failure
    cdef vector[int32_t] results      # slots of fresh results, in the order they were asked for
    cdef vector[int32_t] given        # slots of outside values, in the order they were declared
    cdef vector[char] written         # of each given one
    cdef vector[PlanDraw] draws
    cdef dict drawn                   # (seed, offset) as recorded -> place among the draws
    cdef vector[size_t] stops         # how many draws stand before each region that draws numbers itself
    cdef size_t stop, drawn_to        # of a run: how many of these it has passed, and how many draws have their ranges
    cdef uint64_t left_key, left_offset   # of a replay: where the generator stood before
    cdef cbool finished
    cdef int inputs                   # the first given ones: arguments, which nobody promises not to share memory

    def __cinit__(self):
        self.hosts = []
        self.parts = []
        self.drawn = {}
        self.failure = None

    def outside(self, shape, dtype, strides=None):
        """Declares a value that each run is given as a tensor of this shape, dtype and strides; returns its number."""
        cdef int64_t sizes[kMaxDims]
        cdef int64_t steps[kMaxDims]
        cdef int k, n = read_shape(tuple(shape), sizes, "plan")
        cdef Layout* layout
        if strides is None:
            layout = layout_contiguous(n, sizes)
        else:
            for k in range(n):
                steps[k] = strides[k]
            layout = layout_strided(n, sizes, steps)
        v = self.p.outside(dtype_code(dtype, "plan"), layout)
        self.given.push_back(self.p.values[v].slot)
        self.written.push_back(0)
        return v

    def number(self, value):
        """The number of a value that is a Python number."""
        cdef Array a
        weak_array(value, &a, "plan")
        v = self.p.number(a)
        array_unref(a)
        return v

    def call(self, Entry e, operands, attrs):
        """Appends an op on values (None: absent); returns the number of its first result.

        Raises whatever the op raises for operands of such shapes and dtypes."""
        cdef vector[int32_t] ins
        cdef Attr* attr
        cdef PlanDraw draw
        cdef int out
        for v in operands:
            ins.push_back(-1 if v is None else <int32_t> v)
        attr = encode_attrs(e, attrs)
        out = self.p.call(e.info, ins.data(), <int> ins.size(), attr)
        if out < 0:
            raise_last()
        if e.info.flags & kRandom:
            draw.call = <int32_t> self.p.calls.size() - 1
            # The draw is as long as the row says, as the tensor drawn for, or as the result.
            draw.kind = _draw_kinds.get(e.row.kernel, <int> kDrawBernoulli)
            like = ins[0] if ins.size() and ins[0] >= 0 else out
            draw.dtype = self.p.values[like].dtype
            draw.n = self.p.values[like].layout.numel
            if e.row.draws is not None:
                draw.n = e.row.draws(*[shape_tuple(self.p.values[v].layout) for v in ins if v >= 0])
            draw.same = -1
            if draw.n > 0:  # a draw of nothing begins where the next one does
                draw.same = self.drawn.setdefault(tuple(attrs[len(attrs) - 2:]), self.draws.size())
                if draw.same == <int32_t> self.draws.size():
                    draw.same = -1
            self.draws.push_back(draw)
        return out

    def shape_only(self, shape, dtype):
        """The number of a value that is only measured: it has no elements."""
        cdef int64_t sizes[kMaxDims]
        cdef int n = read_shape(tuple(shape), sizes, "plan")
        return self.p.measure(dtype_code(dtype, "plan"), layout_contiguous(n, sizes))

    def owner(self, int v):
        """The value whose memory v looks at: itself, or what it is a view of."""
        return self.p.values[v].owner

    def result(self, int v):
        """Asks for a value in new memory after each run: the next tensor of what run() returns."""
        self.results.push_back(self.p.result(v))
        return self.results.size() - 1

    def result_value(self, int k):
        """The number of result k as a value, for host steps that read it."""
        return self.p.slots[self.results[k]]

    def write(self, int target, int v):
        """The tensor given for `target` is to hold value v after each run."""
        cdef int32_t slot = self.p.values[target].slot
        # Slots are numbered in the order in which values are declared, so that `given` ascends.
        cdef size_t k = lower_bound(self.given.begin(), self.given.end(), slot) - self.given.begin()
        self.p.write(target, v)
        if k < self.given.size() and self.given[k] == slot:
            self.written[k] = 1

    def region(self, str kind, operands, results, list parts, int carried=0, int scanned=0, int64_t length=0,
               cbool reverse=False, function=None, cbool draws=False):
        """Appends a region; returns the number of its first result.

        Args:
            kind: "call", "cond", "while_loop", "scan", "host" or "replay".
            operands: values, those of a part without gaps in the order of its inputs.
            results: pairs (shape, dtype); triples (shape of a row, dtype, True) for tapes.
            parts: plans finished with inner=True, which are run by nobody else.
            length: of a scan; -1: that of the tapes it reads.
            function: of a host region: is called with this plan, and uses `read` and `fill` on operands and results.
            draws: it draws random numbers: draws behind it get their ranges when it has run.
        """
        cdef unique_ptr[PlanRegion] region
        cdef PlanPart part
        cdef StaticPlan inner
        cdef CPlan.Made made
        cdef vector[CPlan.Made] all_made
        cdef vector[int32_t] ins = operands
        cdef int64_t sizes[kMaxDims]
        cdef int n
        region.reset(new PlanRegion())
        region.get().kind = <RegionKind> <int> _region_kinds[kind]
        region.get().carried, region.get().scanned = carried, scanned
        region.get().length, region.get().reverse = length, reverse
        region.get().draws = draws
        for inner in parts:
            part.plan = &inner.p
            part.ins, part.out = inner.given, inner.results
            part.callbacks.host, part.callbacks.interrupt, part.callbacks.arg = plan_host, plan_interrupt, <void*> inner
            part.draws = not inner.draws.empty() or not inner.stops.empty()
            region.get().parts.push_back(part)
        for shape, dtype, *tape in results:
            n = read_shape(tuple(shape), sizes, "plan")
            made.dtype = dtype_code(dtype, "plan")
            made.layout = layout_contiguous(n, sizes)
            made.row_bytes = made.layout.numel * itemsize(made.dtype)
            if tape:
                layout_decref(made.layout)
                made.layout = NULL
            all_made.push_back(made)
        if function is not None:
            self.hosts.append(function)
        self.parts += parts
        n = self.p.region(move(region), ins.data(), <int> ins.size(), all_made.data(), <int> all_made.size())
        if draws:
            self.stops.push_back(self.draws.size())
            self.p.fence()
        return n

    def read(self, int v):
        """For host regions: a copy of value v as a tensor."""
        cdef Array a
        cdef PlanValue* value = &self.p.values[v]
        if not array_new(&a, value.dtype, layout_contiguous(value.layout.ndim, value.layout.shape())):
            raise_memory("plan")
        if self.p.read(v, a) < 0:
            array_unref(a)
            raise_last()
        return tensor_from(&a)

    def tape(self, int v, shape, dtype):
        """After a run: the rows of a tape, each of `shape`, as one tensor."""
        cdef PlanCall* call = &self.p.calls[self.p.values[v].call]
        cdef PlanTape* tape = call.region.get().tapes[v - call.out].get()
        cdef Array a
        cdef int64_t k, row, sizes[kMaxDims]
        cdef int n = read_shape((tape.count(), *shape), sizes, "plan")
        if not array_new(&a, dtype_code(dtype, "plan"), layout_contiguous(n, sizes)):
            raise_memory("plan")
        if tape.count():
            row = a.nbytes() // tape.count()
            for k in range(tape.count()):
                memcpy(a.data() + k * row, tape.row(k), row)
        return tensor_from(&a)

    def fill(self, int v, Tensor t):
        """For host regions: gives value v, a result, its elements."""
        cdef PlanValue* value = &self.p.values[v]
        if not same_shape(t.c.array.layout, value.layout):
            raise RuntimeError(f"plan: expected shape {shape_tuple(value.layout)} from a function of the host, got "
                               f"{shape_tuple(t.c.array.layout)}. Make the plan again for such operands.")
        if self.p.fill(v, t.c.array) < 0:
            raise_last()

    def host(self, function, uses):
        """A step that calls function(plan): it may read and write the tensors given for the outside values in `uses`."""
        cdef vector[int32_t] values = uses
        self.p.host(values.data(), <int> values.size())
        self.hosts.append(function)

    def fence(self):
        """What is appended from now on joins no group that began before: it runs no earlier than it stands."""
        self.p.fence()

    def finish(self, int inputs=0, fuse=True, inner=False, forking=True):
        """Groups, places and prepares. The first `inputs` outside values are arguments. With `inner` it is for `region`,
        with `forking` independent branches run side by side where that is worth the memory that they take."""
        self.inputs = inputs
        if self.p.finish(fuse, inner, forking) < 0:
            raise_last()
        self.finished = True

    def make_results(self):
        """New tensors for the results of a run."""
        cdef size_t k
        cdef Array a
        cdef PlanValue* v
        cdef list out = []
        for k in range(self.results.size()):
            v = &self.p.values[self.p.slots[self.results[k]]]
            layout_incref(v.layout)
            if not array_new(&a, v.dtype, v.layout):
                raise_memory("plan")
            out.append(tensor_from(&a))
        return out

    def run(self, list given, list results):
        """Runs once: `given` are the tensors of the outside values in order, `results` those of make_results().

        Raises:
            RuntimeError: a tensor of another shape, dtype or layout; the plan is running already.
        """
        cdef vector[CPlan.Feed] feeds
        self.run_fed(1, given, results, feeds)

    def run_many(self, int64_t n, list given, list results, list fed, list stacked):
        """Runs n times. `fed` are pairs (place in given, tensor with one more dimension, of n, in front), `stacked` such
        pairs for results: run k reads and writes slice k of these."""
        cdef vector[CPlan.Feed] feeds
        for place, whole in fed:
            self.check_slices(place)
            feeds.push_back(slices(self.given[place], whole, n))
        for place, whole in stacked:
            feeds.push_back(slices(self.results[place], whole, n))
        self.run_fed(n, given, results, feeds)

    cdef int run_fed(self, int64_t n, list given, list results, vector[CPlan.Feed]& feeds) except -1:
        cdef vector[Storage*] held
        cdef int64_t k = 0
        cdef size_t j
        try:
            kept = self.bind_all(given, results, held)
        except BaseException:
            for j in range(held.size()):
                storage_decref(held[j])
            raise
        self.p.running = True
        try:
            if self.draws.empty() and self.stops.empty():
                self.steps_of(n, feeds)
            else:  # numbers are drawn with the lock held, run by run
                for k in range(n):
                    self.draw_ranges()
                    self.steps_of(1, feeds)
                    for j in range(feeds.size()):
                        feeds[j].data += feeds[j].bytes
                    PyErr_CheckSignals()
        except BaseException as error:
            self.note_state(error, n, k + self.p.done)
            raise
        finally:
            self.p.running = False
            for j in range(held.size()):
                storage_decref(held[j])
            del kept
        return 0

    cdef int steps_of(self, int64_t n, vector[CPlan.Feed]& feeds) except -1:
        cdef CPlan.Callbacks callbacks
        callbacks.host = plan_host
        callbacks.interrupt = plan_interrupt
        callbacks.arg = <void*> self
        if self.p.run(callbacks, n, feeds.data(), <int64_t> feeds.size()) < 0:
            error = self.take_failure()
            if error is not None:
                raise error
            raise_last()
        return 0

    cdef object take_failure(self):
        """The exception that stopped a run, in this plan or in one of its parts."""
        cdef StaticPlan part
        error, self.failure = self.failure, None
        for part in self.parts:
            inner = part.take_failure()
            error = inner if error is None else error
        return error

    def _touched(self):
        """Of the outside values that runs write, those that the unfinished run has begun to write."""
        cdef size_t k
        cdef PlanStep* s
        places = {self.given[k]: k for k in range(self.given.size()) if self.written[k]}
        out = set()
        for k in range(<size_t> self.p.reached + 1):
            s = &self.p.steps[k]
            made = [self.p.calls[c].out for c in s.calls]
            if s.kind == StepKind.kCall:
                made += range(self.p.calls[s.index].out, self.p.calls[s.index].out + self.p.calls[s.index].op.nout)
            elif s.kind == StepKind.kCopy:
                made.append(s.to)
            elif s.kind == StepKind.kHost:
                made += s.reads
            out.update(places[self.p.values[v].slot] for v in made
                       if self.p.values[v].place == Place.kOutside and self.p.values[v].slot in places)
        return sorted(out)

    cdef int note_state(self, error, int64_t n, int64_t done) except -1:
        """Says in an error that came from outside (Ctrl-C) what it leaves behind."""
        if not isinstance(error, KeyboardInterrupt):
            return 0
        text = f"plan: stopped after {done} of {n} runs, in step {self.p.reached + 1} of {self.p.steps.size()}; "
        touched = self._touched()
        if done == n:
            text += "all of them are complete."
        elif touched:
            text += f"given values {touched} may hold what this run writes, all others what they held before it."
        else:
            text += "states are as before this run."
        error.add_note(text)
        return 0

    cdef object bind_all(self, list given, list results, vector[Storage*]& held):
        """Checks the tensors and binds their memory; returns copies that must live until the run ends. `held` are
        storages to be released then: a tensor may be given other memory while the run goes on without the lock."""
        cdef Tensor t
        cdef size_t k
        cdef list kept = None
        if not self.finished:
            raise RuntimeError("plan: expected a finished plan. Call finish() first.")
        if self.p.running:
            raise PlanBusy("plan: expected one run at a time, got a second one from another thread or from inside the "
                           "first. Make a plan for each thread.")
        if len(given) != <Py_ssize_t> self.given.size():
            raise ValueError(f"plan: expected {self.given.size()} tensors, got {len(given)}.")
        for k in range(self.given.size()):
            t = <Tensor?> given[k]
            if not self.fits(t, &self.p.values[self.p.slots[self.given[k]]]):
                self.misfit(t, k)
            if self.written[k]:
                if t.c.array.storage != NULL:
                    if t.c.array.storage.readonly:
                        raise RuntimeError("plan: expected memory that can be written, got a tensor over read-only memory.")
                    array_wrote(t.c.array)
            elif <int> k < self.inputs and t.c.array.storage != NULL and self.shares(given, k):
                t = <Tensor> apply_op(<Entry> entry_by_name["clone"], [t], NULL)
                if kept is None:
                    kept = []
                kept.append(t)
            self.check_reach(t, &self.p.values[self.p.slots[self.given[k]]])
            hold(t, held)
            self.p.bind(self.given[k], t.c.array.data())
        for k in range(self.results.size()):
            hold(<Tensor> results[k], held)
            self.p.bind(self.results[k], (<Tensor> results[k]).c.array.data())
        return kept

    cdef int check_reach(self, Tensor t, PlanValue* v) except -1:
        """Raises RuntimeError where views of a given tensor would look beyond its memory."""
        cdef int64_t before = 0, after = 0
        if v.low >= 0 and v.high <= 0:
            return 0
        if t.c.array.storage != NULL:
            before = t.c.array.data() - t.c.array.storage.data
            after = <int64_t> t.c.array.storage.bytes - before
        if v.low + before < 0 or v.high > after:
            raise RuntimeError(f"as_strided: expected a tensor with {-v.low} bytes of memory before its first element and "
                               f"{v.high} behind it, got {before} and {after}.")
        return 0

    cdef int check_slices(self, size_t place) except -1:
        """Raises RuntimeError where views of an outside value look beyond it: of a slice, at the next one."""
        cdef PlanValue* v = &self.p.values[self.p.slots[self.given[place]]]
        if v.low < 0 or v.high > 0:
            raise RuntimeError("as_strided: expected a region inside the memory of its operand, got one that goes beyond, "
                               "of an input that is given as slices.")
        return 0

    cdef cbool fits(self, Tensor t, PlanValue* v) except? False:
        cdef int d
        cdef Layout* a = t.c.array.layout
        if t.c.flags & (T_SLOW | T_VIEW):
            if t.c.flags & T_SLOW:
                return False
            refresh_view(t)
            a = t.c.array.layout
        if t.c.array.dtype != v.dtype or not same_shape(a, v.layout):
            return False
        if a == v.layout or a.contiguous and v.layout.contiguous:
            return True
        for d in range(a.ndim):
            if a.shape()[d] != 1 and a.strides()[d] != v.layout.strides()[d]:
                return False
        return True

    cdef int misfit(self, Tensor t, size_t k) except -1:
        cdef PlanValue* v = &self.p.values[self.p.slots[self.given[k]]]
        raise RuntimeError(
            f"plan: expected a plain tensor of shape {shape_tuple(v.layout)} and {dtypes[v.dtype].name} for value {k}, "
            f"got shape {shape_tuple(t.c.array.layout)} and {dtypes[t.c.array.dtype].name}. Make a plan for it.")

    cdef cbool shares(self, list given, size_t k) noexcept:
        """Whether argument k looks at memory that the run writes."""
        cdef size_t j
        cdef Storage* s = (<Tensor> given[k]).c.array.storage
        for j in range(self.given.size()):
            if self.written[j] and (<Tensor> given[j]).c.array.storage == s:
                return True
        return False

    cdef void stand_at_place(self) noexcept:
        """A replay begins: the generator goes to the place that the plan was given."""
        self.left_key, self.left_offset = default_gen.key, default_gen.offset
        default_gen.key, default_gen.offset = <uint64_t> self.p.place[0], <uint64_t> self.p.place[1]

    cdef void put_back(self) noexcept:
        """A replay has ended."""
        default_gen.key, default_gen.offset = self.left_key, self.left_offset

    cdef int draw_ranges(self) except -1:
        """Gives random ops their ranges of counters, in the order of the graph, up to a region that draws."""
        self.stop = self.drawn_to = 0
        self.draw_segment()
        return 0

    cdef int draw_segment(self) except -1:
        cdef size_t k
        cdef size_t end = self.stops[self.stop] if self.stop < self.stops.size() else self.draws.size()
        cdef PlanDraw* d
        cdef Attr* attr
        cdef Attr* first
        self.stop += 1
        for k in range(self.drawn_to, end):
            d = &self.draws[k]
            attr = self.p.calls[d.call].attr
            if d.same == PRESET:
                continue
            if d.same >= 0:
                first = self.p.calls[self.draws[d.same].call].attr
                attr.words[attr.count - 2] = first.words[first.count - 2]
                attr.words[attr.count - 1] = first.words[first.count - 1]
                continue
            attr.words[attr.count - 2] = _signed(default_gen.key)
            attr.words[attr.count - 1] = _signed(default_gen.reserve(draw_blocks(d.kind, d.dtype, d.n if d.n > 0 else 0)))
        self.drawn_to = end
        return 0

    def ranges(self):
        """The ranges of counters of the latest run: (seed, offset) as recorded -> (seed, offset) as drawn."""
        cdef Attr* attr
        out = {}
        for recorded, k in self.drawn.items():
            attr = self.p.calls[self.draws[<size_t> k].call].attr
            out[recorded] = attr.words[attr.count - 2], attr.words[attr.count - 1]
        return out

    def preset(self, dict ranges):
        """Draws that were recorded with one of these ranges repeat the numbers that another plan drew for it."""
        cdef Attr* attr
        cdef size_t place
        for recorded, k in self.drawn.items():
            if recorded in ranges:
                place = k
                attr = self.p.calls[self.draws[place].call].attr
                attr.words[attr.count - 2], attr.words[attr.count - 1] = ranges[recorded]
                self.draws[place].same = PRESET

    # ---- reading ------------------------------------------------------------------------------------------------

    @property
    def arena_bytes(self):
        """Bytes of the arena: what a run uses beside its arguments and results."""
        return self.p.arena_bytes

    @property
    def tape_bytes(self):
        """Bytes that tapes have taken so far: as many as the longest loops needed, in chunks."""
        cdef StaticPlan part
        cdef size_t k, j
        total = sum([part.tape_bytes for part in self.parts])
        for k in range(self.p.calls.size()):
            if self.p.calls[k].region:
                for j in range(self.p.calls[k].region.get().tapes.size()):
                    if self.p.calls[k].region.get().tapes[j]:
                        total += self.p.calls[k].region.get().tapes[j].get().bytes()
        return total

    def layout(self):
        """Of each value that owns memory in the arena: (number, offset, bytes, first moment, last moment)."""
        cdef size_t k
        cdef PlanValue* v
        out = []
        for k in range(self.p.values.size()):
            v = &self.p.values[k]
            if v.owner == <int32_t> k and v.place == Place.kArena and v.first >= 0:
                out.append((k, v.offset, v.layout.numel * itemsize(v.dtype), v.first, v.last))
        return out

    def watch(self, cbool on):
        """Starts or ends the timing of steps; returns the seconds of each, added up since it started."""
        found = list(self.p.seconds)
        self.p.timed = on
        self.p.seconds.assign(self.p.steps.size() if on else 0, 0.0)
        return found

    def steps(self):
        """The steps in order: (kind, names of ops, elements)."""
        cdef size_t k
        cdef PlanStep* s
        out = []
        for k in range(self.p.steps.size()):
            s = &self.p.steps[k]
            if s.kind == StepKind.kCall:
                kind = "region" if self.p.calls[s.index].region else "call"
                names = [self.op_name(c) for c in self.calls_of(s.index)]
                out.append((kind, names, self.call_numel(s.index)))
            elif s.kind == StepKind.kGroup or s.kind == StepKind.kScalars:
                names = [self.op_name(c) for c in s.calls]
                out.append(("group" if s.kind == StepKind.kGroup else "scalars", names, self.call_numel(s.calls[0])))
            elif s.kind == StepKind.kCopy:
                out.append(("copy", [], self.p.values[s.to].layout.numel))
            else:
                out.append(("host", [getattr(self.hosts[s.index], "__name__", "host")], 0))
        return out

    def step_calls(self):
        """Of each step the calls that it makes: their places in the order of call()."""
        cdef size_t k
        cdef PlanStep* s
        out = []
        for k in range(self.p.steps.size()):
            s = &self.p.steps[k]
            if s.kind == StepKind.kCall:
                out.append(self.calls_of(s.index))
            elif s.kind == StepKind.kGroup or s.kind == StepKind.kScalars:
                out.append([c for c in s.calls])
            else:
                out.append([])
        return out

    def forks(self):
        """Stretches of steps whose branches run side by side: (first step, step behind the last, steps of each branch, steps
        that run when these have ended)."""
        cdef size_t k
        return [(self.p.forks[k].begin, self.p.forks[k].end, self.p.forks[k].branches, self.p.forks[k].after)
                for k in range(self.p.forks.size())]

    def touched(self):
        """Of each step the owners of what its calls read and of what they write, scratch memory as well."""
        cdef size_t k, j
        cdef PlanCall* c
        out = []
        for k in range(self.p.steps.size()):
            numbers = list(self.p.steps[k].calls)
            if self.p.steps[k].kind == StepKind.kCall:
                numbers.append(self.p.steps[k].index)
            reads, writes = [], []
            for number in numbers:
                c = &self.p.calls[<size_t> number]
                reads += [self.owner(self.p.operands[j]) for j in range(<size_t> c.first_in, <size_t> (c.first_in + c.nin))
                          if self.p.operands[j] >= 0]
                writes += [self.owner(v) for v in range(c.out, c.out + c.op.nout)]
                writes += [v for v in (c.parts, c.region.get().work if c.region else -1) if v >= 0]
            out.append((reads, writes))
        return out

    cdef list calls_of(self, int32_t c):
        """A call, and the sum that a product does as well."""
        return [c] if self.p.calls[c].added < 0 else [c, self.p.calls[c].added]

    cdef str op_name(self, int32_t c):
        return (<bytes> self.p.calls[c].op.name).decode()

    cdef int64_t call_numel(self, int32_t c) noexcept:
        cdef Layout* l = self.p.values[self.p.calls[c].out].layout
        return l.numel if l != NULL else 0
