# cython: language_level=3, binding=True, embedsignature=False, allow_none_for_extension_args=False
# distutils: language=c++
"""The compiled core: storage, node arrays, dispatch, the backward pass. One module out of small parts.

Reading order: externs (the C++ side), tensor, dispatch, ops, table, nodes, order, slots, backward, replay,
inplace, hooks.

Note [Methods check their self]. A method that Cython binds takes any object as its self when it is called on the class,
as in Tensor.item(5), and reads it as a tensor. Classes with methods say binding(False), so that Python checks.
"""
cimport cython

include "core/externs.pxi"
include "core/errors.pxi"
include "core/dtypes.pxi"
include "core/nodes.pxi"
include "core/table.pxi"
include "core/overrides.pxi"
include "core/tensor.pxi"
include "core/values.pxi"
include "core/dispatch.pxi"
include "core/complex.pxi"
include "core/ops.pxi"
include "core/inplace.pxi"
include "core/order.pxi"
include "core/slots.pxi"
include "core/backward.pxi"
include "core/replay.pxi"
include "core/hooks.pxi"
include "core/packed.pxi"
include "core/functions.pxi"
include "core/lines.pxi"
include "core/node_objects.pxi"
include "core/create.pxi"
include "core/factory.pxi"
include "core/convert.pxi"
include "core/subclass.pxi"
include "core/interop.pxi"
include "core/index.pxi"
include "core/random.pxi"
include "core/optim.pxi"
include "core/wrappers.pxi"
include "core/plan_externs.pxi"
include "core/plan.pxi"
include "core/rehearsal.pxi"
include "core/watch.pxi"
include "core/api.pxi"
include "core/forms.pxi"
