"""Subjects of scientific papers: graph attention, dense with a mask and over a list of edges with scatter and index_add."""

import torch
import torch.nn as nn
import torch.nn.functional as F
from example_data import cora


class GraphAttentionLayer(nn.Module):
    """Attention over neighbours; the scores of all pairs at once."""

    def __init__(self, in_features, out_features, alpha, concat=True):
        super().__init__()
        self.out_features, self.concat = out_features, concat
        self.W = nn.Parameter(torch.empty(size=(in_features, out_features)))
        nn.init.xavier_uniform_(self.W.data, gain=1.414)
        self.a = nn.Parameter(torch.empty(size=(2 * out_features, 1)))
        nn.init.xavier_uniform_(self.a.data, gain=1.414)
        self.leakyrelu = nn.LeakyReLU(alpha)

    def forward(self, h, adj):
        Wh = torch.mm(h, self.W)
        e = self._prepare(Wh)
        zero_vec = -9e15 * torch.ones_like(e)
        attention = torch.where(adj > 0, e, zero_vec)
        attention = F.softmax(attention, dim=1)
        h_prime = torch.matmul(attention, Wh)
        return F.elu(h_prime) if self.concat else h_prime

    def _prepare(self, Wh):
        Wh1 = torch.matmul(Wh, self.a[: self.out_features, :])
        Wh2 = torch.matmul(Wh, self.a[self.out_features :, :])
        return self.leakyrelu(Wh1 + Wh2.T)


class EdgeAttention(nn.Module):
    """Attention over neighbours along a list of edges."""

    def __init__(self, in_features, out_features):
        super().__init__()
        self.lin = nn.Linear(in_features, out_features, bias=False)
        self.att_src = nn.Parameter(torch.Tensor(out_features))
        self.att_dst = nn.Parameter(torch.Tensor(out_features))
        nn.init.normal_(self.att_src, std=0.3)
        nn.init.normal_(self.att_dst, std=0.3)

    def forward(self, x, edge_index):
        src, dst = edge_index
        x = self.lin(x)
        score = F.leaky_relu((x * self.att_src).sum(-1)[src] + (x * self.att_dst).sum(-1)[dst], 0.2)
        score = (score - score.max().detach()).exp()
        total = torch.zeros(x.size(0)).scatter_add(0, dst, score)
        weight = score / total[dst]
        return torch.zeros_like(x).index_add_(0, dst, weight.unsqueeze(-1) * x[src])


class GAT(nn.Module):
    def __init__(self, nfeat, nhid, nclass, nheads=2):
        super().__init__()
        self.attentions = [GraphAttentionLayer(nfeat, nhid, alpha=0.2) for _ in range(nheads)]
        for i, attention in enumerate(self.attentions):
            self.add_module(f"attention_{i}", attention)
        self.out_att = EdgeAttention(nhid * nheads, nclass)

    def forward(self, x, adj, edge_index):
        x = F.dropout(x, 0.3, training=self.training)
        x = torch.cat([att(x, adj) for att in self.attentions], dim=1)
        return F.log_softmax(self.out_att(x, edge_index), dim=1)


def main(steps=60, log=False):
    torch.manual_seed(72)
    words, labels, edges = cora(200)
    x, y = torch.tensor(words[:, ::4].copy()).float(), torch.tensor(labels)
    loops = torch.arange(len(x)).repeat(2, 1)
    edge_index = torch.from_numpy(edges).t().contiguous()
    edge_index = torch.unique(torch.cat([edge_index, edge_index.flip(0), loops], dim=1), dim=1)
    adj = torch.zeros(len(x), len(x)).index_put_((edge_index[0], edge_index[1]), torch.tensor(1.0))
    model = GAT(x.size(1), 8, len(torch.unique(y)))
    optimizer = torch.optim.Adam(model.parameters(), lr=0.005, weight_decay=5e-4)
    train_mask = torch.zeros(len(x), dtype=torch.bool)
    train_mask[:100] = True
    losses = []
    for _ in range(steps):
        model.train()
        optimizer.zero_grad()
        out = model(x, adj, edge_index)
        loss = F.nll_loss(out[train_mask], y[train_mask])
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    if log:
        model.eval()
        pred = model(x, adj, edge_index).argmax(dim=-1)
        print(f"accuracy on held-out papers {(pred == y)[~train_mask].float().mean().item():.3f}")
    return losses


if __name__ == "__main__":
    main(log=True)
