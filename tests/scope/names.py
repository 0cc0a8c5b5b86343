"""The names of the PyTorch API that real training code uses most, with their weights.

Counted over 788 Python files of 28 public repositories of training code and over the calls that 160 of their programs
make when they run; the weight is places in the code plus capped run-time calls.
"""

_LIST = """
    add 1578, nn.functional.linear 1528, mul 1182, __getitem__ 930, view 726, nn.functional.conv2d 705,
    randn 575, item 513, nn.functional.relu 474, sub 443, cat 413, to 400, zeros 374,
    nn.functional.layer_norm 366, sum 348, nn.functional.dropout 320, div 287, nn.functional.batch_norm 271,
    transpose 265, mean 230, ones 215, unsqueeze 210, matmul 200, softmax 185, neg 183, arange 181, sqrt 179,
    reshape 178, norm 164, exp 145, sin 144, stack 143, tanh 127, pow 126, nn.functional.cross_entropy 125,
    nn.functional.leaky_relu 124, float 117, allclose 116, abs 116, nn.functional.gelu 109, flatten 109,
    permute 108, einsum 107, chunk 102, cos 97, fill 96, sigmoid 93, clone 93, nn.functional.embedding 91,
    long 88, nn.functional.max_pool2d 86, zeros_like 82, empty 79, contiguous 77, max 74, clamp 73, log 70,
    squeeze 65, gt 57, nn.functional.mse_loss 54, eq 52, argmax 52, ones_like 51, new_zeros 51, uniform 48,
    nn.functional.pad 48, zero_ 46, nn.functional.instance_norm 46, expand 45, min 43, linspace 43,
    nn.functional.avg_pool2d 42, masked_fill 42, gather 41, randint 39, lt 39, T 39,
    nn.functional.interpolate 38, nn.functional.conv_transpose2d 36, where 35, log_softmax 34, t 33,
    meshgrid 31, eye 31, equal 29, topk 28, nn.functional.nll_loss 28, mm 27, std 26, bool 26, bfloat16 26,
    all 26, nn.functional.scaled_dot_product_attention 25, full 25, triu 24, nn.functional.l1_loss 24,
    nn.functional.conv1d 22, le 22, normal 21, double 21, view_as 20, tril 20, nn.functional.silu 20,
    unbind 19, scatter 19, tile 18, nn.functional.dropout2d 18, nn.functional.binary_cross_entropy 17,
    rand_like 16, nn.functional.smooth_l1_loss 16, nn.functional.softplus 15, empty_like 14, repeat 13,
    nn.functional.normalize 13, nn.functional.adaptive_avg_pool2d 13, split 12, nn.functional.group_norm 12,
    new_ones 12, dist 12, diag 12, bmm 12, unflatten 11, new_full 11, maximum 11, flip 11, randn_like 10,
    floor 10, var 9, real 9, nn.functional.binary_cross_entropy_with_logits 9, ne 9, narrow 9, multinomial 9,
    cumsum 9, addcmul 9, addcdiv 9, linalg.solve 8, unique 7, sign 7, expand_as 7, ceil 7, to_sparse 6,
    nn.functional.elu 6, movedim 6, amax 6, repeat_interleave 5, outer 5, nn.functional.pixel_shuffle 5,
    nn.functional.kl_div 5, nn.functional.conv3d 5, mv 5, masked_select 5, exp2 5, bernoulli 5, view_as_real 4,
    unfold 4, rsqrt 4, reshape_as 4, prod 4, nn.functional.prelu 4, median 4, mT 4, isfinite 4, fft.fft 4,
    erf 4, dot 4, digamma 4, cumprod 4, bitwise_xor 4, asin 4, any 4, amin 4, svd 3, square 3, roll 3,
    nn.functional.hardswish 3, nn.functional.embedding_bag 3, nextafter 3, new_empty 3, log1p 3, linalg.det 3,
    lgamma 3, lerp 3, isnan 3, int 3, full_like 3, fmod 3, erfinv 3, byte 3, as_strided 3, view_as_complex 2,
    var_mean 2, trace 2, tan 2, sort 2, select 2, scatter_add 2, resize_ 2, reciprocal 2, randint_like 2,
    nonzero 2, nn.functional.unfold 2, nn.functional.selu 2, nn.functional.one_hot 2, nn.functional.bilinear 2,
    nn.functional.avg_pool1d 2, matrix_exp 2, lu_unpack 2, logsumexp 2, linalg.vecdot 2, linalg.norm 2,
    linalg.inv 2, linalg.eigvalsh 2, linalg.eig 2, index_select 2, fft.fft2 2, cross 2, complex 2, clamp_min 2,
    angle 2, trapezoid 1, std_mean 1, searchsorted 1, round 1, polar 1, nn.functional.upsample_nearest 1,
    nn.functional.max_pool3d 1, nn.functional.grid_sample 1, nn.functional.cosine_similarity 1,
    nn.functional.cosine_embedding_loss 1, minimum 1, lu 1, log10 1, index_fill 1, index_add 1, hypot 1,
    flipud 1, conj 1, bucketize 1, bitwise_and 1, atan2 1, atan 1, argwhere 1, acos 1, H 1
"""

NAMES = {name: int(weight) for name, weight in (entry.split() for entry in _LIST.split(","))}
