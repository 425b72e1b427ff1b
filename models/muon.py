"""The optimiser of the encoder's weight matrices."""

from __future__ import annotations

import torch

HALF = torch.bfloat16


class Muon(torch.optim.Optimizer):
    """Jordan (2024): momentum made orthogonal by Newton-Schulz, in bfloat16 where `half` is set."""

    @torch.no_grad()  # type: ignore[untyped-decorator]
    def step(self, closure: None = None) -> None:
        """One step of every weight matrix; the size of a step is that of Adam at the same rate."""
        for group in self.param_groups:
            for weight in group["params"]:
                if weight.grad is None:
                    continue
                moved = self.state[weight].setdefault("momentum", torch.zeros_like(weight))
                moved.lerp_(weight.grad, 1 - group["momentum"])
                update = torch.lerp(weight.grad, moved, group["momentum"])
                tall = update.shape[0] > update.shape[1]
                x = update.T if tall else update
                x = (x / (x.norm() + 1e-7)).to(HALF if group["half"] else x.dtype)
                for _ in range(5):
                    a = x @ x.T
                    x = 3.4445 * x + (-4.775 * a + 2.0315 * a @ a) @ x
                weight.add_(x.T if tall else x, alpha=-group["lr"] * 0.2 * max(weight.shape) ** 0.5)
