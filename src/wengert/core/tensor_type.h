// What Cython cannot say about the Tensor type: its C++ body, lazy garbage-collector tracking, lazy instance
// attributes, an open (patchable) class, and the vectorcall entry of op objects.
#pragma once
#include <Python.h>

#include "wengert/array.h"

// The state of a tensor. It lives inside the Python object; the destructor gives everything back (a C++ member
// destructor costs 6 ns less than a Cython __dealloc__).
struct TensorBody;
static void (*wg_node_release)(int32_t);                       // set by nodes.pxi
static void (*wg_tensor_gone)(struct TensorBody*);             // set by hooks.pxi: the node outlives its tensor
static PyObject* (*wg_context_held)(int32_t);                  // set by functions.pxi: what the node alone keeps alive

struct TensorBody {
  wg::Array array;
  int32_t node;         // -1: no gradient flows here
  uint32_t flags;
  uint32_t epoch;       // times that in-place writes through views changed this tensor's history
  uint32_t base_epoch;  // of the base when this view's node was made
  PyObject* grad;       // Tensor or null
  PyObject* dict;       // instance attributes, made at the first assignment
  PyObject* base;       // the tensor that this one is a view of, or null
  PyObject* hooks;      // dict of gradient hooks, or null
  TensorBody() : node(-1), flags(0), epoch(0), base_epoch(0), grad(nullptr), dict(nullptr), base(nullptr), hooks(nullptr) {
    array.layout = nullptr;
    array.storage = nullptr;
  }
  ~TensorBody() {
    if (WG_UNLIKELY(flags & 0xff00)) wg_tensor_gone(this);
    if (array.storage) wg::storage_decref(array.storage);
    if (array.layout) wg::layout_decref(array.layout);
    if (node >= 0) wg_node_release(node);
    Py_XDECREF(grad);
    Py_XDECREF(dict);
    Py_XDECREF(base);
    Py_XDECREF(hooks);
  }
};

// Note [Tensor and the collector]. A plain tensor cannot be part of a reference cycle: it is allocated with a
// collector header but untracked. It becomes tracked when it gets a hook, an instance attribute, a gradient or a base,
// or is made by a custom function, whose context may hold it; instances of Python subclasses are tracked by their own
// allocation. Tracking every tensor would cost 4-5 ns each
// and make the collector walk all of them.
static Py_ssize_t wg_body_offset;  // of the TensorBody inside the Python object
static inline TensorBody* wg_body(PyObject* self) {
  return reinterpret_cast<TensorBody*>(reinterpret_cast<char*>(self) + wg_body_offset);
}

static inline void wg_track(PyObject* self) {
  if (!PyObject_GC_IsTracked(self)) PyObject_GC_Track(self);
}

static PyObject* wg_tensor_alloc(PyTypeObject* type, Py_ssize_t) {
  PyObject* self = reinterpret_cast<PyObject*>(_PyObject_GC_New(type));
  if (self) std::memset(reinterpret_cast<char*>(self) + sizeof(PyObject), 0,
                        static_cast<size_t>(type->tp_basicsize) - sizeof(PyObject));
  return self;
}

static int wg_tensor_traverse(PyObject* self, visitproc visit, void* arg) {
  TensorBody* b = wg_body(self);
  Py_VISIT(b->grad);
  Py_VISIT(b->dict);
  Py_VISIT(b->base);
  Py_VISIT(b->hooks);
  if (b->node >= 0) Py_VISIT(wg_context_held(b->node));
  return 0;
}

static int wg_tensor_clear(PyObject* self) {
  TensorBody* b = wg_body(self);
  Py_CLEAR(b->grad);
  Py_CLEAR(b->dict);
  Py_CLEAR(b->hooks);
  return 0;
}

// Tensor(...) called from Python: the plain object, then its contents. The core's own allocations do not come here.
static newfunc wg_cython_new;
static int (*wg_construct)(PyObject* self, PyObject* args, PyObject* kwargs);  // set by interop.pxi
static PyObject* wg_tensor_new(PyTypeObject* type, PyObject* args, PyObject* kwargs) {
  PyObject* empty = PyTuple_New(0);
  if (!empty) return nullptr;
  PyObject* self = wg_cython_new(type, empty, nullptr);
  Py_DECREF(empty);
  if (self && wg_construct(self, args, kwargs) < 0) Py_CLEAR(self);
  return self;
}

static PyBufferProcs wg_buffer_procs;  // filled in by interop.pxi

static destructor wg_cython_dealloc;
static void wg_tensor_dealloc(PyObject* self) {
  if (PyObject_GC_IsTracked(self)) PyObject_GC_UnTrack(self);
  wg_cython_dealloc(self);
}

static int wg_tensor_setattro(PyObject* self, PyObject* name, PyObject* value) {
  int status = PyObject_GenericSetAttr(self, name, value);
  if (status == 0 && wg_body(self)->dict) wg_track(self);
  return status;
}

// Note [Plain]. Tensor and Parameter, exactly, take the short ways: other classes may override what operations do.
static PyTypeObject* wg_tensor_type;     // set by wg_open_tensor_type
static PyTypeObject* wg_parameter_type;  // Tensor's own until the package hands over its class
static inline bool wg_is_plain(PyObject* v) { return Py_TYPE(v) == wg_tensor_type || Py_TYPE(v) == wg_parameter_type; }

// Gives the class Tensor's own operator slots: those that Python made for it look methods up by name, for 12 ns a call.
static void wg_adopt_parameter_type(PyObject* cls) {
  Py_INCREF(cls);
  wg_parameter_type = reinterpret_cast<PyTypeObject*>(cls);
  *wg_parameter_type->tp_as_number = *wg_tensor_type->tp_as_number;
}

// Called once, before any instance exists. The class becomes open: Python functions can be attached to it and users
// can patch it, at no cost to its slots.
static void wg_open_tensor_type(PyTypeObject* type, Py_ssize_t body_offset) {
  wg_body_offset = body_offset;
  wg_tensor_type = wg_parameter_type = type;
  type->tp_flags |= Py_TPFLAGS_HAVE_GC;
  type->tp_flags &= ~static_cast<unsigned long>(Py_TPFLAGS_IMMUTABLETYPE);
  type->tp_traverse = wg_tensor_traverse;
  type->tp_clear = wg_tensor_clear;
  type->tp_alloc = wg_tensor_alloc;
  type->tp_free = PyObject_GC_Del;
  wg_cython_dealloc = type->tp_dealloc;
  type->tp_dealloc = wg_tensor_dealloc;
  type->tp_setattro = wg_tensor_setattro;
  wg_cython_new = type->tp_new;
  type->tp_new = wg_tensor_new;
  type->tp_vectorcall = nullptr;  // calls go through tp_new
  type->tp_as_buffer = &wg_buffer_procs;
  type->tp_dictoffset = body_offset + static_cast<Py_ssize_t>(offsetof(TensorBody, dict));
  PyType_Modified(type);
}

// An op object is called without building an argument tuple, and as a method binds without an object for it.
static vectorcallfunc wg_op_call, wg_public_call;
static void wg_open_op_type(PyTypeObject* type, Py_ssize_t vectorcall_offset) {
  type->tp_vectorcall_offset = vectorcall_offset;
  type->tp_call = PyVectorcall_Call;
  type->tp_flags |= Py_TPFLAGS_HAVE_VECTORCALL | (type->tp_descr_get ? Py_TPFLAGS_METHOD_DESCRIPTOR : 0);
  PyType_Modified(type);
}
