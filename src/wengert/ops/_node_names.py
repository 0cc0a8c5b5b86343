"""What PyTorch calls the nodes of ops whose own name it is not: `y.grad_fn.name()`.

Where it has several names for what is one op here, VARIANTS chooses by the attributes, the dimensions of the result and the
absent operands; where these do not tell (which operands are numbers), it is the most usual one.
"""

NODE_NAMES = {
    "adaptive_avg_pool": "AdaptiveAvgPool2DBackward0",
    "adaptive_max_pool": "AdaptiveMaxPool2DBackward0",
    "avg_pool": "AvgPool2DBackward0",
    "batch_norm": "NativeBatchNormBackward0",
    "cast": "ToCopyBackward0",
    "contiguous": "CloneBackward0",
    "clamp3": "ClampBackward1",
    "conv_transpose": "ConvolutionBackward0",
    "cross_entropy": "NllLossBackward0",
    "diagonal_embed": "DiagEmbedBackward0",
    "erfcx": "SpecialErfcxBackward0",
    "gelu_erf": "GeluBackward0",
    "gelu_tanh": "GeluBackward0",
    "group_norm": "NativeGroupNormBackward0",
    "i0e": "SpecialI0EBackward0",
    "i1": "SpecialI1Backward0",
    "i1e": "SpecialI1EBackward0",
    "index_put_add": "IndexPutBackward0",
    "layer_norm": "NativeLayerNormBackward0",
    "linear": "AddmmBackward0",
    "log1p": "Log1PBackward0",
    "log_ndtr": "SpecialLogNdtrBackward0",
    "logsigmoid": "LogSigmoidBackward0",
    "matmul": "MmBackward0",
    "max_pool": "MaxPool2DWithIndicesBackward0",
    "max_unpool": "MaxUnpool2DBackward0",
    "median": "MedianBackward1",
    "median_all": "MedianBackward0",
    "nanmedian": "NanmedianBackward1",
    "nanmedian_all": "NanmedianBackward0",
    "ndtri": "SpecialNdtriBackward0",
    "norm": "LinalgVectorNormBackward0",
    "prod_all": "ProdBackward0",
    "reshape": "ViewBackward0",
    "round_even": "RoundBackward0",
    "square": "PowBackward0",
}


def _by_dimension(name):
    """One node for all elements, another one for some dimensions."""
    return lambda values, ndim, absent: f"{name}Backward{0 if values['dim'] is None else 1}"


def _pool(name, sizes):
    """By the number of dimensions that the windows have; one dimension goes by way of two."""

    def variant(values, ndim, absent):
        rank = len(values[sizes])
        return "SqueezeBackward1" if rank == 1 else f"{name.format(rank)}Backward0"

    return variant


def _extreme(all_of, along):
    """max() is far more usual than amax() without dimensions, which is the same here."""
    return lambda values, ndim, absent: all_of if values["dim"] is None else along


def _product(values, ndim, absent):
    return (
        f"ProdBackward{0 if values['dim'] == (-1,) else 1}"  # prod() asks for the last dimension of the flat tensor
    )


def _squeeze(values, ndim, absent):
    dim = values["dim"]
    return f"SqueezeBackward{0 if dim is None else 1 if len(dim) == 1 else 2}"


def _matmul(values, ndim, absent):
    return "MmBackward0" if ndim == 2 else "UnsafeViewBackward0"


def _linear(values, ndim, absent):
    if absent >> 2 & 1:
        return "SqueezeBackward4" if ndim == 1 else _matmul(values, ndim, absent)
    return "AddmmBackward0" if ndim == 2 else "ViewBackward0"


VARIANTS = {
    "adaptive_avg_pool": _pool("AdaptiveAvgPool{}D", "output_size"),
    "adaptive_max_pool": _pool("AdaptiveMaxPool{}D", "output_size"),
    "amax": _extreme("MaxBackward1", "AmaxBackward0"),
    "amin": _extreme("MinBackward1", "AminBackward0"),
    "avg_pool": _pool("AvgPool{}D", "kernel_size"),
    "linear": _linear,
    "matmul": _matmul,
    "matmul_rows": _matmul,
    "max_pool": _pool("MaxPool{}DWithIndices", "kernel_size"),
    "mean": _by_dimension("Mean"),
    "prod_all": _product,
    "squeeze": _squeeze,
    "sum": _by_dimension("Sum"),
}
