# ruff: noqa: ANN001, ANN201, ANN202, ANN204 (benchmark helpers, read top to bottom)
"""An epoch of TAC and of DXMC, beside its bare arithmetic and a plain implementation.

    PYTHONPATH=src python perf/heads.py [--n 13000] [--device cpu] [--seeds 1]

Bare: forward, backward and step of the same modules on one ready batch, as often as
an epoch has batches. Plain: a data set that gives one sample at a time, a data loader,
masks in the losses, and the assignment of every image after each epoch. On CPUs one
thread.
Targets on a CPU: at most 1.15 x bare; plain at least 1.6 x (TAC) and 1.3 x (DXMC).
"""

from __future__ import annotations

import argparse
import time
from dataclasses import replace

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F  # noqa: N812

from mmclust.core.features import normalised
from mmclust.core.plugins import load
from mmclust.core.types import HeadInputs
from mmclust.heads import _train
from mmclust.kernels.nearest_neighbors import nearest_neighbors

D, K, BATCH = 512, 10, 512


class Samples(torch.utils.data.Dataset):
    """One item at a time, its neighbours drawn on access."""

    def __init__(self, image, text, near):
        self.image, self.text, self.near = image, text, near

    def __len__(self):
        return len(self.image)

    def __getitem__(self, i):
        a = np.random.choice(self.near[0][i])  # noqa: NPY002
        b = np.random.choice(self.near[1][i])  # noqa: NPY002
        return self.text[i], self.image[i], self.text[a], self.image[b]


def cluster_net():
    return nn.Sequential(
        nn.Linear(D, 512), nn.BatchNorm1d(512), nn.ReLU(), nn.Linear(512, K),
        nn.Softmax(1),
    )  # fmt: skip


def instance_net():
    return nn.Sequential(nn.Linear(D, 512), nn.ReLU(), nn.Linear(512, 1024))


def contrast(a, b, tau):
    rows = torch.cat([a, b])
    n = len(a)
    scores = rows @ rows.T / tau
    mask = torch.ones(2 * n, 2 * n, dtype=torch.bool)
    mask.fill_diagonal_(0)
    for i in range(n):
        mask[i, i + n] = mask[i + n, i] = 0
    partner = torch.cat([scores.diagonal(n), scores.diagonal(-n)])[:, None]
    others = scores[mask.to(rows.device)].view(2 * n, -1)
    target = torch.zeros(2 * n, dtype=torch.long, device=rows.device)
    return F.cross_entropy(torch.cat([partner, others], 1), target)


def entropy(p):
    mean = p.mean(0).clamp(min=1e-9)
    return -(mean * mean.log()).sum()


def loss_of(nets, head, u, v, ua, vb, contrast=contrast):
    p, q = nets["text"](u), nets["image"](v)
    p_near, q_near = nets["text"](ua), nets["image"](vb)

    def distil(a, b):
        return contrast(F.normalize(a.T, dim=1), F.normalize(b.T, dim=1), 0.5)

    loss = distil(q, p_near) + distil(p, q_near)
    if head == "tac":
        loss = loss - (p * q).sum(1).log().mean()
    else:
        loss = loss + contrast(nets["text_i"](u), nets["image_i"](v), 0.05)
    return loss - 5 * (entropy(p) + entropy(q))


def lean(a, b, tau):
    """Return the loss by its arithmetic and nothing else, for the bare figure."""
    n = len(a)
    rows = torch.cat([a, b])
    scores = rows @ rows.T / tau
    scores.diagonal().fill_(-torch.inf)
    target = (torch.arange(2 * n, device=a.device) + n) % (2 * n)
    return F.cross_entropy(scores, target)


def prepare(head, device):
    nets = nn.ModuleDict({"text": cluster_net(), "image": cluster_net()})
    if head == "dxmc":
        nets["text_i"], nets["image_i"] = instance_net(), instance_net()
    nets.to(device)
    return nets, torch.optim.Adam(nets.parameters(), 1e-3, betas=(0.9, 0.99))


def bare(head, image, text, steps, device):
    nets, optimizer = prepare(head, device)
    batch = [torch.from_numpy(r[:BATCH]).to(device) for r in (text, image, text, image)]

    def run():
        for _ in range(steps):
            optimizer.zero_grad()
            loss_of(nets, head, *batch, contrast=lean).backward()
            optimizer.step()

    return clock(run, device)


def plain(head, image, text, near, device):
    nets, optimizer = prepare(head, device)
    samples = Samples(image, text, near)
    loader = torch.utils.data.DataLoader(samples, BATCH, shuffle=True, drop_last=True)

    def run():
        for batch in loader:
            optimizer.zero_grad()
            loss_of(nets, head, *(b.to(device) for b in batch)).backward()
            optimizer.step()
        with torch.no_grad():
            nets.eval()
            for start in range(0, len(image), BATCH):
                nets["image"](torch.from_numpy(image[start : start + BATCH]).to(device))
            nets.train()

    return clock(run, device)


def ours(head, image, text, device, n_seeds):
    module = load("heads", head)
    params = module.Params(epochs=1, batch=BATCH)

    def train(epochs):
        some = replace(params, epochs=epochs)
        given = _train.prepare(HeadInputs(image, text), some, device=device)
        seeds = list(range(n_seeds))
        _train.train(module.recipe, given, K, some, seeds=seeds, device=device)

    one = clock(lambda: train(1), device, warm=1)
    three = clock(lambda: train(3), device, warm=0)
    return (three - one) / 2


def clock(run, device, warm=1):
    """Return processor seconds on a CPU (one thread), seconds elsewhere."""
    for _ in range(warm):
        run()
    if device == "cpu":
        start = time.process_time()
        run()
        return time.process_time() - start
    torch.cuda.synchronize()
    start = time.perf_counter()
    run()
    torch.cuda.synchronize()
    return time.perf_counter() - start


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--n", type=int, default=4096)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--seeds", type=int, default=1)
    args = parser.parse_args()
    torch.set_num_threads(1)
    rng = np.random.default_rng(0)
    image, text = (
        normalised(rng.standard_normal((args.n, D)).astype(np.float32))
        for _ in range(2)
    )
    near = [nearest_neighbors(rows, 50, device=args.device) for rows in (text, image)]
    # Searching neighbours is no part of an epoch, in any of the three.
    _train.nearest_neighbors = lambda rows, *_, **__: near[rows is image]  # type: ignore[attr-defined]
    for head in ("tac", "dxmc"):
        best = ours(head, image, text, args.device, args.seeds)
        limit = bare(head, image, text, args.n // BATCH, args.device) * args.seeds
        rival = plain(head, image, text, near, args.device) * args.seeds
        print(
            f"{head:<5} n {args.n}, {args.seeds} seed(s), {args.device}: ours "
            f"{best:.2f} s, bare {limit:.2f} s (ratio {best / limit:.2f}), plain "
            f"{rival:.2f} s (ratio {rival / best:.2f})"
        )


if __name__ == "__main__":
    main()
