"""Packages that record programs with torch.fx, Bayesian optimisation and sentence embeddings run on wengert's tensors."""

from packages import run


def test_e3nn_tensor_products():
    run(
        "e3nn",
        """
        import copy, pickle
        from e3nn import o3
        from e3nn.nn import BatchNorm, Gate
        torch.set_default_dtype(torch.float64)
        irreps, other, out = o3.Irreps("2x0e+2x1o"), o3.Irreps("1x0e+1x1o"), o3.Irreps("2x0e+1x1o+1x1e+1x2e")
        product = o3.FullyConnectedTensorProduct(irreps, other, out)
        x, y = torch.randn(5, irreps.dim, requires_grad=True), torch.randn(5, other.dim)
        z = product(x, y)
        rotation = o3.rand_matrix()
        turned = product(x @ irreps.D_from_matrix(rotation).T, y @ other.D_from_matrix(rotation).T)
        assert torch.allclose(turned, z @ out.D_from_matrix(rotation).T)
        assert torch.equal(copy.deepcopy(product)(x, y), z) and torch.equal(pickle.loads(pickle.dumps(product))(x, y), z)
        (z**2).sum().backward()
        assert product.weight.grad.abs().sum() > 0 and x.grad.abs().sum() > 0
        for module in (o3.Linear(irreps, out), o3.Norm(irreps), o3.TensorSquare(irreps), BatchNorm(irreps)):
            assert module(x).isfinite().all()
        gate = Gate("2x0e", [torch.tanh], "2x0e", [torch.sigmoid], "1x1o+1x1e")
        assert gate(torch.randn(5, gate.irreps_in.dim)).shape == (5, gate.irreps_out.dim)
        """,
    )


def test_opt_einsum_fx_rewrites_einsums():
    run(
        "opt_einsum_fx",
        """
        from opt_einsum_fx import fuse_einsums, fuse_scalars, optimize_einsums_full
        def program(a, b, c):
            return torch.einsum("zij,zuij->zu", torch.einsum("zi,zj->zij", a, b), c) * 2.0 / 3
        args = torch.randn(3, 2), torch.randn(3, 5), torch.randn(3, 4, 2, 5)
        found = optimize_einsums_full(program, args)
        assert torch.allclose(found(*args), program(*args), atol=1e-6)
        traced = torch.fx.symbolic_trace(program)
        traced.graph = fuse_scalars(fuse_einsums(traced.graph))
        assert traced.code.count("einsum(") == 1 and torch.allclose(traced(*args), program(*args), atol=1e-6)
        """,
    )


def test_torchvision_extracts_features():
    run(
        "torchvision",
        """
        import copy
        import torchvision
        from torchvision.models.feature_extraction import create_feature_extractor, get_graph_node_names
        model = torchvision.models.resnet18()
        train, evaluate = get_graph_node_names(model)
        assert train == evaluate and len(train) == 70 and train[-1] == "fc"
        nodes = create_feature_extractor(model, {"layer1": "a", "layer3.1.relu": "b"})
        x = torch.randn(2, 3, 32, 32)
        found = nodes(x)
        assert found["a"].shape == (2, 64, 8, 8) and found["b"].shape == (2, 256, 2, 2)
        found["b"].sum().backward()
        assert model.conv1.weight.grad.abs().sum() > 0
        copied = copy.deepcopy(nodes).eval()
        assert torch.equal(copied(x)["a"], nodes.eval()(x)["a"])
        inner = create_feature_extractor(torchvision.models.swin_t().eval(), ["features.3.1.add_1"])
        assert inner(x)["features.3.1.add_1"].shape == (2, 4, 4, 192)
        """,
    )


def test_torch_geometric_makes_models_of_many_types():
    run(
        "torch_geometric",
        """
        from torch_geometric.nn import Linear, SAGEConv, to_hetero, to_hetero_with_bases
        class Net(nn.Module):
            def __init__(self):
                super().__init__()
                self.a, self.b, self.lin = SAGEConv((-1, -1), 8), SAGEConv((-1, -1), 4), Linear(-1, 4)
            def forward(self, x, edge_index):
                h = self.a(x, edge_index).relu()
                return self.b(h, edge_index) + self.lin(h)
        kinds = ["p", "a"], [("p", "w", "a"), ("a", "r", "p")]
        x = {"p": torch.randn(6, 5), "a": torch.randn(4, 5)}
        edges = {k: torch.tensor([[0, 1, 2, 3], [0, 1, 3, 2]]) for k in kinds[1]}
        model = to_hetero(Net(), kinds, aggr="sum")
        out = model(x, edges)
        own = model.a["p__w__a"]((x["p"], x["a"]), edges["p", "w", "a"]).relu()
        assert out["a"].shape == (4, 4) and own.shape == (4, 8)
        sum(v.square().sum() for v in out.values()).backward()
        assert all(p.grad is not None for p in model.parameters())
        shared = to_hetero_with_bases(Net(), kinds, num_bases=2, in_channels={"x": 6})
        assert shared(x, edges)["p"].shape == (6, 4)
        """,
    )


def test_botorch_fits_and_proposes():
    run(
        "botorch",
        """
        from botorch.acquisition import LogExpectedImprovement, qLogExpectedImprovement
        from botorch.fit import fit_gpytorch_mll
        from botorch.models import SingleTaskGP
        from botorch.models.transforms import Normalize, Standardize
        from botorch.optim import optimize_acqf
        from gpytorch.mlls import ExactMarginalLogLikelihood
        def value(x):
            return 1 - (x - 0.4).norm(dim=-1, keepdim=True)
        x = torch.rand(6, 2, dtype=torch.float64)
        bounds = torch.tensor([[0.0, 0.0], [1.0, 1.0]], dtype=torch.float64)
        for round in range(4):
            model = SingleTaskGP(x, value(x), input_transform=Normalize(d=2), outcome_transform=Standardize(m=1))
            marginal = ExactMarginalLogLikelihood(model.likelihood, model)
            before = marginal(model(*model.train_inputs), model.train_targets)
            fit_gpytorch_mll(marginal)
            after = marginal.train()(model(*model.train_inputs), model.train_targets)
            assert after > before
            model.eval()
            make, q = (qLogExpectedImprovement, 2) if round % 2 else (LogExpectedImprovement, 1)
            chosen, score = optimize_acqf(
                make(model, best_f=value(x).max()), bounds=bounds, q=q, num_restarts=3, raw_samples=16
            )
            assert chosen.shape == (q, 2) and ((chosen >= 0) & (chosen <= 1)).all() and score.isfinite().all()
            x = torch.cat([x, chosen])
        assert value(x).max() > 0.9, value(x)
        """,
    )


def test_sentence_transformers_encode_and_learn():
    run(
        "sentence_transformers",
        """
        import os, tempfile
        from sentence_transformers import InputExample, SentenceTransformer, losses, models, util
        from torch.utils.data import DataLoader
        from transformers import BertConfig, BertModel, BertTokenizer
        folder = tempfile.mkdtemp()
        words = "[PAD] [UNK] [CLS] [SEP] [MASK] a the cat dog sits runs sun is hot".split()
        with open(os.path.join(folder, "vocab.txt"), "w") as file:
            file.write("\\n".join(words))
        BertTokenizer(os.path.join(folder, "vocab.txt")).save_pretrained(folder)
        BertModel(BertConfig(vocab_size=len(words), hidden_size=16, num_hidden_layers=1, num_attention_heads=2,
                             intermediate_size=32, max_position_embeddings=32)).save_pretrained(folder)
        body = models.Transformer(folder)
        model = SentenceTransformer(modules=[body, models.Pooling(16)], device="cpu")
        pairs = [("the cat sits", "the cat runs", 0.9), ("the sun is hot", "a dog runs", 0.1)]
        examples = [InputExample(texts=[a, b], label=label) for a, b, label in pairs] * 8
        loader = DataLoader(examples, shuffle=True, batch_size=4)
        train = [(loader, losses.CosineSimilarityLoss(model))]
        options = dict(epochs=3, warmup_steps=2, show_progress_bar=False, optimizer_params={"lr": 1e-2})
        model.old_fit(train_objectives=train, **options)
        e = model.encode([text for pair in pairs for text in pair[:2]], convert_to_tensor=True, normalize_embeddings=True)
        assert torch.allclose(e.norm(dim=1), torch.ones(4)) and util.cos_sim(e[0], e[1]) > util.cos_sim(e[2], e[3]) + 0.3
        """,
    )
