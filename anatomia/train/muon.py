"""Muon's heart: matrices with all their singular values near one."""

import torch
from torch import Tensor


def orthogonalise(matrices: Tensor, steps: int = 5) -> Tensor:
    """The nearest semi-orthogonal matrices, roughly: singular values end between 0.7 and 1.2 (Jordan et al. 2024: a
    Newton-Schulz iteration with a quintic polynomial).

    Args:
        matrices: [count, m, n].
    """
    a, b, c = 3.4445, -4.7750, 2.0315
    wide = matrices.shape[-2] <= matrices.shape[-1]
    x = matrices if wide else matrices.transpose(-2, -1).contiguous()
    x = x / (torch.linalg.vector_norm(x, dim=(-2, -1), keepdim=True) + 1e-7)
    for _ in range(steps):
        square = torch.bmm(x, x.transpose(-2, -1))
        polynomial = torch.baddbmm(square, square, square, beta=b, alpha=c)
        x = torch.baddbmm(x, polynomial, x, beta=a)
    return x if wide else x.transpose(-2, -1)
