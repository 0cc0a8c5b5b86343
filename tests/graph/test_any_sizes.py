"""Sizes by name, judged by every size: what a graph gives is what plain code gives, or it is refused."""

import pytest

import wengert as w

F = w.nn.functional

FUNCTIONS = """
x.var(0); x.var(1); x.std(); x.var(1, correction=0); x.mean(0); x.mean(); x.split(2); x.unbind(1); x[:, :5]; x[:2]
x[:-1]; x[-1]; x[1]; x[:, 1:]; x[..., -2:]; x[::2]; x.roll(3, 1); x.flip(0, 1); x.narrow(1, 0, 2); x.topk(2, 1).values
x.median(); x.kthvalue(2, 1).values; x.quantile(0.3, 1); x.nanmean(1); x.sort(1).values; x.argsort(0)
x.diff(n=2, dim=1); x.cumsum(1); x.logsumexp(1); x.softmax(1); x.norm(); x.norm(p=1, dim=0)
F.layer_norm(x, (x.shape[1],)); x.tril(); x.triu(1); x.diagonal(1); x.diag(); x.trace(); w.cov(x); w.corrcoef(x)
F.kl_div(x.log_softmax(1), x.softmax(1), reduction='batchmean'); x.T @ x; F.cosine_similarity(x, x * 2 + 1, 1)
F.normalize(x); w.cdist(x, x); F.pdist(x); x.reshape(-1); x.reshape(x.shape[1], -1); x.squeeze(); x.squeeze(0)
x.expand(3, *x.shape); x.repeat(2, 1); x.repeat_interleave(2, 1); w.cat([x, x[:1]]); F.pad(x, (1, 2))
F.max_pool1d(x[None], 2); F.avg_pool1d(x[None], 3, 1, 1); F.adaptive_avg_pool1d(x[None], 3)
F.interpolate(x[None], size=4); F.conv1d(x[:, None], w.ones(2, 1, 3)); F.conv1d(x[:, None], w.ones(2, 1, 2), stride=2)
F.unfold(x[None, None], 2); F.conv_transpose1d(x[:, None], w.ones(1, 2, 3), stride=2); x.unfold(1, 2, 1)
F.batch_norm(x, None, None, training=True); F.group_norm(x[None], 1)
F.scaled_dot_product_attention(x[..., None], x[..., None], x[..., None], is_causal=True)
F.cross_entropy(x, x.argmax(1), label_smoothing=0.1); F.nll_loss(x.log_softmax(1), x.argmax(1)); F.mse_loss(x, x * 2)
F.triplet_margin_loss(x, x + 1, x - 1); F.one_hot(x.argmax(1), x.shape[1]); x / x.shape[0]; x.sum() / x.numel()
x * (1 / x.shape[1]); x.sum(1) / (x.shape[1] - 1); w.outer(x[:, 0], x[0]); w.einsum('bt,bs->ts', x, x); x.argmax()
x.prod(1); (x > 0).sum(1); x.index_select(1, w.tensor([0])); x.gather(1, x.argmax(1, keepdim=True))
x.take_along_dim(x.argsort(1), 1); x.scatter(1, x.argmax(1, keepdim=True), 9.0); x.clone().fill_diagonal_(3.0)
x.unflatten(1, (-1, 1)); w.trapezoid(x, dim=1); w.fft.fft(x).real; w.linalg.pinv(x); w.linalg.svdvals(x)
w.linalg.matrix_norm(x); w.kron(x, w.ones(2, 2)); w.vander(x[0]); w.meshgrid(x[0], x[:, 0], indexing='ij')[0]
w.rot90(x); w.std_mean(x, 1)[0]; w.chain_matmul(x, x.T, x); x.cummax(1).values; x.as_strided((2,), (1,))
x.as_strided(x.shape, x.stride()); x.T.as_strided((2,), (x.T.stride(0),)); x[:, 1:].as_strided((1,), (1,), 0)
w.zeros_like(x) + x.shape[0]; w.ones_like(x) * x; w.full_like(x, 2.5) * x; w.full_like(x, 2, dtype=w.int64)
w.empty_like(x).fill_(2) * x; w.ones_like(x > 0); F.gumbel_softmax(x) * 0; x.bernoulli(1.0) * x
w.rand_like(x).sign() * x; x[w.arange(2)]; x[:, [0, 0]]; w.nn.LSTM(1, 2)(x[:, :, None])[0]
w.nn.GRU(1, 2, batch_first=True)(x[:, :, None])[1]; w.nn.Flatten()(x[:, None]); w.histc(x, 4)
w.nn.TransformerEncoderLayer(2, 1, 4, dropout=0.0)(x[:, :, None].expand(*x.shape, 2))
w.nn.AdaptiveAvgPool2d(1)(x[None])
"""
SIZES = [(3, 5), (1, 1), (1, 3), (2, 1), (5, 3), (7, 2)]
REFUSED = (RuntimeError, ValueError, TypeError, IndexError, MemoryError)


def tensors(out):
    return [out] if isinstance(out, w.Tensor) else [t for part in out for t in tensors(part)]


def gradient_of(out, wrt):
    out = [t for t in out if t.is_floating_point()]
    return wrt(sum((t * t).sum() for t in out)) if out else None


def plain(f, x, differentiate):
    w.manual_seed(3)
    x = x.clone().requires_grad_(differentiate)
    out = tensors(f(x))
    return [gradient_of(out, lambda loss: w.autograd.grad(loss, x)[0])] if differentiate else out


@pytest.mark.parametrize("differentiate", [False, True], ids=["values", "gradients"])
@pytest.mark.parametrize("line", FUNCTIONS.strip().splitlines())
def test_what_plain_code_gives_or_an_error(line, differentiate):
    for source in line.split(";"):
        f = eval(f"lambda x: {source.strip()}", {"w": w, "F": F})
        g = w.Graph("g")
        x = g.input("x", ("B", "T"))
        w.manual_seed(3)
        try:
            out = tensors(f(x))
            if differentiate:
                out = [gradient_of(out, lambda loss, g=g, x=x: g.gradients(loss, x))]
            g.output(*out)
        except REFUSED:
            continue
        plan = g.compile(exact=True)
        for n in SIZES:
            w.manual_seed(5)
            x = w.randn(n)
            w.manual_seed(3)
            try:
                got = plan(x)
            except REFUSED:
                continue
            want = plain(f, x, differentiate)
            got = got if isinstance(got, list) else [got]
            assert len(got) == len(want), (source, n)
            for a, b in zip(got, want, strict=True):
                assert a.shape == b.shape and a.dtype == b.dtype, (source, n)
                assert w.allclose(a.double(), b.double(), rtol=1e-5, atol=1e-6, equal_nan=True), (source, n)


def centred():
    """A graph that relies on T > 1."""
    g = w.Graph("centred")
    x = g.input("x", (None, "T"))
    g.output(x - x.mean(1, keepdim=True) if x.shape[1] > 1 else x)
    return g


def test_what_a_called_graph_relies_on_is_checked():
    g = w.Graph("g")
    x = g.input("x", (3, 1))
    with pytest.raises(RuntimeError, match=r"call: 'centred': expected sizes with T > 1, .* got B = 3, T = 1"):
        g.call(centred(), x)
    g = w.Graph("g")
    g.output(g.call(centred(), g.input("x", (3, "S"))))
    assert str(g.guards) == "[S > 1]"
    assert g.compile()(w.ones(3, 2)).tolist() == [[0.0, 0.0]] * 3
    with pytest.raises(ValueError, match="expected sizes with S > 1"):
        g.compile()(w.ones(3, 1))
    g = w.Graph("g")
    g.output(g.call(centred(), g.input("x", (3, 2))))
    assert g.guards == []


def test_what_a_graph_relies_on_is_checked_when_one_size_is_given():
    with pytest.raises(ValueError, match="expected sizes with T > 1"):
        centred().specialize(T=1)
    part = centred().specialize(B=2)
    assert str(part.guards) == "[T > 1]"
    with pytest.raises(ValueError, match="expected sizes with T > 1"):
        part.compile()(w.ones(2, 1))
    assert centred().specialize(T=2).guards == []


def test_graphs_in_graphs_in_graphs_have_the_sizes_of_the_outermost():
    inner, middle, outer = w.Graph("inner"), w.Graph("middle"), w.Graph("outer")
    inner.output(inner.input("x", ("N",)) * 2)
    middle.output(middle.call(inner, middle.input("x", ("M",))) + 1)
    x = outer.input("x", ("K",))
    y = outer.call(middle, x)
    outer.output(y, outer.gradients((y * y).sum(), x))
    for g in (outer, *[w.Graph.parse(g.to_text(), g.state_dict()) for g in (outer, outer.specialize(K=2))]):
        assert [t.tolist() for t in g.compile()(w.tensor([1.0, 2.0]))] == [[3.0, 5.0], [12.0, 20.0]]
    outer.inline()
    assert all(node.op != "call" for node in outer.nodes)
    assert [t.tolist() for t in outer.compile()(w.tensor([1.0, 2.0]))] == [[3.0, 5.0], [12.0, 20.0]]


def test_layouts_of_symbolic_tensors():
    g = w.Graph("g")
    x, y = g.input("x", ("B", "T")), g.input("y", (3, 4))
    assert str(x.stride()) == "(T, 1)" and str(x.T.stride()) == "(1, T)" and x.is_contiguous()
    assert y.stride() == (4, 1) and y.T.stride(0) == 1 and y[:, 1:].storage_offset() == 1
    assert y.is_contiguous() and not y.T.is_contiguous() and not y[:, 1:].is_contiguous()
    strided = w.ones(4, 3).T
    assert g.parameter("p", strided).stride() == (1, 3)


def test_a_view_stays_within_its_memory():
    g = w.Graph("g")
    y = g.input("y", (3,)) * 2
    for size, stride, offset in [((4,), (1,), 0), ((2,), (1,), 2), ((2, 2), (2, 1), 0)]:
        with pytest.raises(RuntimeError, match="inside a storage of 3 elements"):
            y.as_strided(size, stride, offset)
    g.output(y.as_strided((2, 2), (1, 1)))
    assert g.compile()(w.tensor([1.0, 2.0, 3.0])).tolist() == [[2.0, 4.0], [4.0, 6.0]]
    text = 'graph "g"\n%0 = input "x": float32[3]\n%1 = mul(%0, 2): float32[3]\n%2 = as_strided(%1) {'
    with pytest.raises(RuntimeError, match="as_strided: expected a region inside the memory of its operand"):
        w.Graph.parse(text + 'size=(9,), stride=(1,), offset=0}: float32[9]\noutput "" = %2\nend\n').compile()
    text = (
        'graph "g"\n%0 = input "x": float32[3]\n%1 = input "y": float32[1]\n'
        '%2 = strided_scatter(%0, %1) {size=(1,), stride=(1,), offset=999}: float32[3]\noutput "" = %2\nend\n'
    )
    with pytest.raises(
        w.graph.GraphError, match="strided_scatter: expected a region inside a storage of 3 elements"
    ):
        w.Graph.parse(text)
