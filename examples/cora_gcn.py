"""Subjects of scientific papers from words and citations: a graph convolutional network."""

import torch
import torch.nn as nn
import torch.nn.functional as F
from example_data import cora
from torch.nn.parameter import Parameter


class GraphConvolution(nn.Module):
    def __init__(self, in_features, out_features, bias=True):
        super().__init__()
        self.in_features, self.out_features = in_features, out_features
        self.weight = Parameter(torch.empty(in_features, out_features))
        if bias:
            self.bias = Parameter(torch.empty(out_features))
        else:
            self.register_parameter("bias", None)
        self.reset_parameters()

    def reset_parameters(self):
        stdv = 1.0 / self.weight.size(1) ** 0.5
        self.weight.data.uniform_(-stdv, stdv)
        if self.bias is not None:
            self.bias.data.uniform_(-stdv, stdv)

    def forward(self, input, adj):
        support = torch.mm(input, self.weight)
        output = torch.mm(adj, support)
        return output + self.bias if self.bias is not None else output

    def extra_repr(self):
        return f"{self.in_features} -> {self.out_features}"


class GCN(nn.Module):
    def __init__(self, nfeat, nhid, nclass, dropout):
        super().__init__()
        self.gc1 = GraphConvolution(nfeat, nhid)
        self.gc2 = GraphConvolution(nhid, nclass)
        self.dropout = dropout

    def forward(self, x, adj):
        x = F.relu(self.gc1(x, adj))
        x = F.dropout(x, self.dropout, training=self.training)
        return F.log_softmax(self.gc2(x, adj), dim=1)


def normalized_adjacency(edges, n):
    adj = torch.zeros(n, n)
    adj[edges[:, 0], edges[:, 1]] = 1.0
    adj = torch.maximum(adj, adj.T)
    adj.fill_diagonal_(1.0)
    d = adj.sum(1).pow(-0.5)
    d[torch.isinf(d)] = 0.0
    return d[:, None] * adj * d[None, :]


def accuracy(output, labels):
    preds = output.max(1)[1].type_as(labels)
    return preds.eq(labels).double().sum() / len(labels)


def main(steps=100, log=False):
    torch.manual_seed(42)
    words, labels, edges = cora(400)
    features = torch.FloatTensor(words).float()
    features = features / features.sum(1, keepdim=True).clamp(min=1)
    labels, adj = torch.LongTensor(labels), normalized_adjacency(torch.from_numpy(edges), len(words))
    idx_train, idx_val = torch.arange(0, 140), torch.arange(140, 400)
    model = GCN(features.shape[1], 16, int(labels.max()) + 1, dropout=0.5)
    optimizer = torch.optim.Adam(model.parameters(), lr=0.01, weight_decay=5e-4)
    losses = []
    for _ in range(steps):
        model.train()
        optimizer.zero_grad()
        output = model(features, adj)
        loss_train = F.nll_loss(output[idx_train], labels[idx_train])
        loss_train.backward()
        optimizer.step()
        losses.append(loss_train.item())
    model.eval()
    output = model(features, adj)
    losses.append(F.nll_loss(output[idx_val], labels[idx_val]).item())
    if log:
        print(model)
        print(
            f"loss {losses[-2]:.3f}, accuracy on held-out papers {accuracy(output[idx_val], labels[idx_val]):.3f}"
        )
    return losses


if __name__ == "__main__":
    main(log=True)
