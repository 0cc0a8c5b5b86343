"""What kind of object a public function is.

In PyTorch most functions are built in: as an attribute of a class they do not bind to its instances, as a function
written in Python does (`class Layer: op = torch.conv2d`, then `self.op(x, w)`). So are they here, whatever they are written
in: an object of the core stands for them, which also asks modes and classes.
"""

from types import FunctionType, MethodDescriptorType

from . import _core

# Functions that PyTorch writes in Python, and ours that it does not have: they bind.
_BINDING = frozenset(
    (
        "are_deterministic_algorithms_enabled as_torch atleast_1d atleast_2d atleast_3d block_diag broadcast_shapes"
        " broadcast_tensors cartesian_prod cdist chain_matmul compile cond einsum from_dlpack get_default_device"
        " get_float32_matmul_precision get_rng_state initial_seed is_deterministic_algorithms_warn_only_enabled is_storage"
        " is_tensor is_warn_always_enabled load lu manual_seed meshgrid norm pca_lowrank record save scan scope seed"
        " set_default_device set_default_dtype set_default_tensor_type set_float32_matmul_precision set_printoptions"
        " set_rng_state set_warn_always split stft svd_lowrank tensordot typename unique unique_consecutive unravel_index"
        " use_deterministic_algorithms vmap while_loop"
    ).split()
)

# Of nn.functional it is the other way about: these are built in.
_BUILT_IN = (
    "adaptive_avg_pool1d avg_pool1d avg_pool2d avg_pool3d bilinear celu_ channel_shuffle conv1d conv2d conv3d"
    " conv_transpose1d conv_transpose2d conv_transpose3d cosine_similarity elu_ gelu hardshrink hardtanh_ leaky_relu_ linear"
    " logsigmoid one_hot pairwise_distance pdist pixel_shuffle pixel_unshuffle prelu relu_ rrelu_"
    " scaled_dot_product_attention selu_ softplus softshrink threshold_"
).split()

# Functions and methods that no mode sees: they are about the library's state, not about tensors.
_UNSEEN = frozenset(
    (
        "are_deterministic_algorithms_enabled as_torch assign_ broadcast_shapes can_cast compile cond export"
        " finfo from_dlpack from_numpy get_autocast_dtype get_default_device get_default_dtype"
        " get_float32_matmul_precision"
        " get_num_interop_threads get_num_threads get_rng_state grad_enabled iinfo initial_seed"
        " is_anomaly_check_nan_enabled is_anomaly_enabled is_autocast_enabled"
        " is_deterministic_algorithms_warn_only_enabled is_grad_enabled is_inference_mode_enabled is_storage is_tensor"
        " is_warn_always_enabled load manual_seed promote_types record result_type save scan scope seed"
        " set_anomaly_enabled set_default_device set_default_dtype set_default_tensor_type"
        " set_float32_matmul_precision set_flush_denormal set_num_interop_threads set_num_threads set_printoptions"
        " set_rng_state set_warn_always typename use_deterministic_algorithms vmap while_loop"
        " nn.init.calculate_gain as_subclass register_hook register_post_accumulate_grad_hook retain_grad"
    ).split()
)

_COMPILED = type(_core.inplace)


def unseen(place):
    """Whether no mode sees the function at a place ("zeros", "linalg.inv", "Tensor.clone")."""
    return place.removeprefix("Tensor.") in _UNSEEN


def published(place, function):
    """What stands at a place ("zeros", "linalg.inv") for a function; anything else as it is.

    Args:
        place: the name in the package, with its module.
        function: what the place is about to hold.
    """
    if type(function) in (_COMPILED, FunctionType, MethodDescriptorType) and place not in _BINDING:
        return _core.Public(function, place, not unseen(place))
    return function


def published_method(place, function):
    """What a class holds for a method that is written in the core ("Tensor.clone"); anything else as it is."""
    return _core.PublicMethod(function, place, True) if type(function) is _COMPILED else function


def all_published(module, namespace, names):
    """Replaces functions of a module that PyTorch has built in.

    Args:
        module: the module's name without the package's, as "linalg".
        namespace: its globals.
        names: those of the functions; None stands for what is built in of "nn.functional".
    """
    for name in names or _BUILT_IN:
        namespace[name] = published(f"{module}.{name}", namespace[name])
