# The C++ side as Cython sees it. One declaration for each thing used; the headers hold the documentation.

from libc.stdint cimport int8_t, int16_t, int32_t, int64_t, uint8_t, uint16_t, uint32_t, uint64_t
from libc.stdlib cimport malloc, calloc, realloc, free
from libc.string cimport memcmp, memcpy, memset
from cpython.object cimport PyObject, PyTypeObject, Py_TYPE
from cpython.ref cimport Py_INCREF, Py_DECREF, Py_XDECREF, Py_CLEAR
from cpython.float cimport PyFloat_CheckExact, PyFloat_AS_DOUBLE, PyFloat_Check
from cpython.long cimport PyLong_CheckExact, PyLong_Check
from cpython.bool cimport PyBool_Check
from cpython.tuple cimport PyTuple_CheckExact
from cpython.exc cimport PyErr_CheckSignals, PyErr_Clear, PyErr_ExceptionMatches, PyErr_Fetch, PyErr_Occurred, PyErr_Restore
from cpython.buffer cimport (PyBUF_FORMAT, PyBUF_ND, PyBUF_STRIDES, PyBUF_WRITABLE, PyBuffer_Release,
                             PyObject_GetBuffer)
from libcpp.algorithm cimport lower_bound
from libcpp.memory cimport shared_ptr, unique_ptr
from libcpp.utility cimport move
from libcpp.vector cimport vector
from libcpp cimport bool as cbool

cdef extern from "Python.h":
    double PyLong_AsDouble(object) except? -1.0
    int64_t PyLong_AsLongLongAndOverflow(object, int* overflow) except? -1
    ctypedef PyObject* (*vectorcallfunc)(PyObject*, PyObject* const*, size_t, PyObject*) noexcept

cdef extern from "wengert/array.h" namespace "wg" nogil:
    enum: kMaxDims "wg::kMaxDims"
    enum DType "wg::DType":
        kBool "wg::kBool"
        kUInt8 "wg::kUInt8"
        kInt8 "wg::kInt8"
        kInt16 "wg::kInt16"
        kInt32 "wg::kInt32"
        kInt64 "wg::kInt64"
        kFloat16 "wg::kFloat16"
        kBFloat16 "wg::kBFloat16"
        kFloat32 "wg::kFloat32"
        kFloat64 "wg::kFloat64"
        kComplex64 "wg::kComplex64"
        kComplex128 "wg::kComplex128"
        kNumDTypes "wg::kNumDTypes"
    enum: kWeak "wg::kWeak"
    enum: kShapeOnly "wg::kShapeOnly"
    enum: kData "wg::kData"
    const char* kDTypeName[kNumDTypes]
    int64_t itemsize(int)
    cbool is_float(int)
    cbool is_half(int)
    cbool is_complex(int)
    cbool is_inexact(int)
    DType part_type(int)
    DType complex_type(int)
    cbool is_int(int)
    int category(int)
    DType promote(int, int)
    struct half_t:
        uint16_t bits
    struct bfloat_t:
        uint16_t bits
    float half_to_float(half_t)
    float bfloat_to_float(bfloat_t)
    half_t float_to_half(float)
    bfloat_t float_to_bfloat(float)
    cppclass Storage:
        int32_t refs
        uint32_t version
        char* data
        size_t bytes
        uint8_t readonly
        void* owner
    Storage* storage_new(size_t)
    Storage* storage_wrap(void*, size_t, cbool, void (*)(void*) noexcept, void*)
    cbool storage_move(Storage*, void*, void (*)(void*) noexcept, void*)
    void* storage_moved_to(Storage*)
    void storage_incref(Storage*)
    void storage_decref(Storage*)
    size_t memory_current()
    size_t memory_peak()
    size_t memory_cached()
    void memory_reset_peak()
    size_t memory_trim()
    cppclass Layout:
        int32_t refs
        int16_t ndim
        cbool contiguous
        int64_t numel
        int64_t* shape()
        int64_t* strides()
    Layout* layout_scalar()
    Layout* layout_contiguous(int, const int64_t*)
    Layout* layout_strided(int, const int64_t*, const int64_t*)
    Layout* layout_dense(Layout*)
    void layout_incref(Layout*)
    void layout_decref(Layout*)
    cbool same_shape(const Layout*, const Layout*)
    union ArrayValue "wg::ArrayValue":
        int64_t offset
        double f64
        float f32
        int64_t i64
    cppclass Array:
        Layout* layout
        Storage* storage
        ArrayValue u
        uint32_t version
        uint8_t dtype
        uint8_t flags
        uint16_t slot
        cbool defined()
        char* data()
        int ndim()
        int64_t numel()
        const int64_t* shape()
        const int64_t* strides()
        int64_t nbytes()
    uint32_t array_version(const Array&)
    void array_wrote(const Array&)
    void array_ref(const Array&)
    void array_unref(Array&)
    cbool array_new(Array*, int, Layout*)
    cbool array_promote(Array*)

cdef extern from "wengert/op.h" namespace "wg" nogil:
    enum ErrorKind "wg::ErrorKind":
        kNoError "wg::kNoError"
        kTypeError "wg::kTypeError"
        kValueError "wg::kValueError"
        kIndexError "wg::kIndexError"
        kRuntimeError "wg::kRuntimeError"
        kMemoryError "wg::kMemoryError"
        kNotImplemented "wg::kNotImplemented"
        kInterrupted "wg::kInterrupted"
    cppclass Error:
        ErrorKind kind
        char text[600]
    Error& last_error()
    cppclass Attr:
        int32_t refs
        int32_t count
        int64_t words[1]
    Attr* attr_new(const int64_t*, int)
    void attr_decref(Attr*)
    Attr* attr_incref(Attr*)
    enum: kElementwise "wg::kElementwise"
    enum: kView "wg::kView"
    enum: kRandom "wg::kRandom"
    enum: kFloatResult "wg::kFloatResult"
    enum: kAccumulates "wg::kAccumulates"
    enum: kDivides "wg::kDivides"
    enum: kNoGrad "wg::kNoGrad"
    enum: kConjugates "wg::kConjugates"
    cppclass OpInfo:
        uint16_t id
        int16_t nin
        int16_t nout
        uint32_t flags
        const char* name
        const char* kernel
        const char* schema
        int (*forward)(OpCall&)
        void* fn[kNumDTypes]
        uint8_t out_dtype[kNumDTypes]
    cppclass OpCall:
        const OpInfo* op
        Array* inputs "in"
        int nin
        const Attr* attr
        Array* out
        int nout
        Array* dest
        cbool accumulate
        cbool dry
    OpInfo* op_register(const char*, const char*, const char*, const char*, int, int, uint32_t)
    int default_dtype
    DType result_dtype(const Array*, int)
    int fill_zero(const Array&)

cdef extern from *:
    """
    // What the core calls beside forward functions: a call that was left off (csrc/include/wengert/interrupt.h) fails and
    // hands out nothing.
    #include "wengert/complex_parts.h"
    static inline int wg_checked(int status) { return wg::interrupted() ? wg::fail_interrupted() : status; }
    static inline int wg_checked(int status, wg::Array* out) {
      if (WG_LIKELY(!wg::interrupted())) return status;
      if (status >= 0) wg::array_unref(*out);
      return wg::fail_interrupted();
    }
    static inline int wg_copy_into(const wg::Array& src, const wg::Array& dst) {
      return wg_checked(wg::copy_into(src, dst));
    }
    static inline int wg_add_into(const wg::Array& src, const wg::Array& dst) { return wg_checked(wg::add_into(src, dst)); }
    // The sum is made whole: half of it would be no gradient.
    static inline int wg_add_whole(const wg::Array& src, const wg::Array& dst) {
      wg::RunsWhole whole;
      return wg::add_into(src, dst);
    }
    static inline int wg_as_contiguous(const wg::Array& src, int dtype, wg::Array* out) {
      return wg_checked(wg::as_contiguous(src, dtype, out), out);
    }
    static inline int wg_sum_to_layout(const wg::Array& src, wg::Layout* layout, wg::Array* out) {
      return wg_checked(wg::sum_to_layout(src, layout, out), out);
    }
    static inline int wg_conjugate(const wg::Array& src, wg::Array* out) { return wg_checked(wg::conjugate(src, out), out); }
    """
    int copy_into "wg_copy_into"(const Array&, const Array&) nogil
    int as_contiguous "wg_as_contiguous"(const Array&, int, Array*) nogil
    int add_into "wg_add_into"(const Array&, const Array&) nogil
    int add_whole "wg_add_whole"(const Array&, const Array&) nogil
    int sum_to_layout "wg_sum_to_layout"(const Array&, Layout*, Array*) nogil
    int conjugate "wg_conjugate"(const Array&, Array*) nogil

cdef extern from "wengert/kernels.h" namespace "wg" nogil:
    cppclass KernelEntry:
        const char* name
        uint8_t dtype
    const char* isa_name()
    cbool isa_select(const char*)

cdef extern from "wengert/parallel.h" namespace "wg" nogil:
    int num_threads()
    void set_num_threads(int)

cdef extern from *:
    """
    static inline int wg_forward(const wg::OpInfo* op, wg::Array* in, int nin, const wg::Attr* attr, wg::Array* out,
                                 int nout, wg::Array* dest) {
      wg::OpCall c{op, in, nin, attr, out, nout};
      c.dest = dest;
      for (int i = 0; i < nout; ++i) out[i] = wg::Array{};
      const int status = wg::run_forward(c);
      for (int i = 0; i < nout && status < 0; ++i) {   // made before the error was found
        wg::array_unref(out[i]);
        out[i] = wg::Array{};
      }
      return status;
    }
    static inline int wg_forward_dry(const wg::OpInfo* op, wg::Array* in, int nin, const wg::Attr* attr,
                                     wg::Array* out, int nout) {
      wg::OpCall c{op, in, nin, attr, out, nout};
      c.dry = true;
      for (int i = 0; i < nout; ++i) out[i] = wg::Array{};
      return op->forward(c);
    }
    // The k-th kernel of the table, and the k-th instruction set; null behind the last.
    static inline const wg::KernelEntry* wg_kernel(int k) {
      int n;
      const wg::KernelEntry* const* all = wg::all_kernels(&n);
      return k < n ? all[k] : nullptr;
    }
    static inline const char* wg_isa(int k) {
      int n;
      const char* const* all = wg::isa_available(&n);
      return k < n ? all[k] : nullptr;
    }
    #include <signal.h>
    // Whether Ctrl-C wants a large kernel left off. Only where it would raise KeyboardInterrupt: any other handler may want
    // the result, and is called when the kernel has made it.
    static bool wg_leave_off_asked() {
      PyGILState_STATE state = PyGILState_Ensure();
      bool asked = PyOS_InterruptOccurred();
      if (asked) {
        PyObject* signals = PyImport_ImportModule("_signal");
        PyObject* now = signals ? PyObject_CallMethod(signals, "getsignal", "i", SIGINT) : nullptr;
        PyObject* usual = signals ? PyObject_GetAttrString(signals, "default_int_handler") : nullptr;
        asked = now && now == usual;
        Py_XDECREF(usual);
        Py_XDECREF(now);
        Py_XDECREF(signals);
        PyErr_Clear();
        if (!asked) PyErr_SetInterruptEx(SIGINT);
      }
      PyGILState_Release(state);
      return asked;
    }
    // Lets the runtime release the interpreter lock around large kernels, and leave them off.
    static inline void wg_unlocking() {
      wg::leave_off_asked = wg_leave_off_asked;
      wg::gil_release = []() -> void* { return PyEval_SaveThread(); };
      wg::gil_restore = [](void* token) { PyEval_RestoreThread(static_cast<PyThreadState*>(token)); };
    }
    typedef void (*wg_binary_fn)(const void*, const void*, void*, int64_t, int);
    typedef void (*wg_unary_fn)(const void*, void*, int64_t);
    """
    const KernelEntry* wg_kernel(int)
    const char* wg_isa(int)
    void wg_unlocking()
    int wg_forward(const OpInfo*, Array*, int, const Attr*, Array*, int, Array*) nogil
    int wg_forward_dry(const OpInfo*, Array*, int, const Attr*, Array*, int) nogil
    ctypedef void (*wg_binary_fn)(const void*, const void*, void*, int64_t, int) noexcept nogil
    ctypedef void (*wg_unary_fn)(const void*, void*, int64_t) noexcept nogil

cdef extern from "wengert/program.h" namespace "wg" nogil:
    cppclass AttrPart:
        int field
        vector[int64_t] words
    cppclass Instr:
        const OpInfo* op
        vector[int16_t] inputs "in"
        int16_t out
        Attr* attr
        cbool inherits
        vector[AttrPart] parts
    cppclass Save:
        int16_t operand
        int16_t reg
        cbool shape_only
    cppclass Program:
        int32_t refs
        const OpInfo* op
        uint64_t absent
        int nregs
        int given
        vector[Array] constants
        vector[Instr] code
        vector[int16_t] results
        vector[Save] saves
        cbool elementwise
        Program()
    void program_finish(Program*)
    void program_decref(Program*)
    int program_run(Program*, const Array*, const Attr*, Layout*, Array*, Array**, cbool*)
    Attr* instr_attr(const Instr&, const OpInfo*, const Attr*)

cdef extern from "tensor_type.h":
    cppclass TensorBody:
        Array array
        int32_t node
        uint32_t flags
        uint32_t epoch
        uint32_t base_epoch
        PyObject* grad
        PyObject* dict
        PyObject* base
        PyObject* hooks
    void (*wg_node_release)(int32_t) noexcept
    void (*wg_tensor_gone)(TensorBody*) noexcept
    PyObject* (*wg_context_held)(int32_t) noexcept
    void wg_track(object)
    void wg_open_tensor_type(PyTypeObject*, Py_ssize_t)
    void wg_adopt_parameter_type(object)
    cbool is_plain "wg_is_plain" (object)
    vectorcallfunc wg_op_call
    vectorcallfunc wg_public_call
    void wg_open_op_type(PyTypeObject*, Py_ssize_t)
    PyObject* wg_vectorcall "PyObject_Vectorcall" (PyObject*, PyObject* const*, size_t, PyObject*) noexcept
    ctypedef struct BufferProcs "PyBufferProcs":
        int (*bf_getbuffer)(PyObject*, Py_buffer*, int) noexcept
        void (*bf_releasebuffer)(PyObject*, Py_buffer*) noexcept
    BufferProcs wg_buffer_procs
    int (*wg_construct)(PyObject*, PyObject*, PyObject*) noexcept
