"""A network in training, with its optimiser, the moving average of its weights and its random numbers.

Knows torch and one network. Does not know what is learnt, or from what.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, TypedDict

import torch

DECAY = 0.995  # of the moving average; diffusers begins with less


class LearnerState(TypedDict):
    """All that a learner's next step depends on, except its examples."""

    steps: int
    adapter: list[torch.Tensor]
    optimiser: Any
    average: Any
    noise: torch.Tensor


class Optimised:
    """The trainable parameters of a network and everything that their training keeps.

    network: on the device to train on, in training. rate: of AdamW.
    """

    def __init__(self, network: Any, rate: float, seed: int, device: torch.device):
        from diffusers.training_utils import EMAModel

        self.network, self.device, self.steps = network, device, 0
        self.parameters = [value for value in network.parameters() if value.requires_grad]
        self.optimiser = torch.optim.AdamW(self.parameters, rate)
        self.average = EMAModel(self.parameters, decay=DECAY)
        self.random = torch.Generator().manual_seed(seed)  # of the CPU: the same numbers for any device

    @contextmanager
    def averaged(self) -> Iterator[None]:
        """The network with the moving average of its weights."""
        self.average.store(self.parameters)
        self.average.copy_to(self.parameters)
        self.network.eval()
        try:
            yield
        finally:
            self.average.restore(self.parameters)
            self.network.train()

    def state(self) -> LearnerState:
        """For `restore`; all of it can be written by torch.save and read without running code."""
        return {
            "steps": self.steps,
            "adapter": [value.detach().clone() for value in self.parameters],
            "optimiser": self.optimiser.state_dict(),
            "average": self.average.state_dict(),
            "noise": self.random.get_state(),
        }

    def restore(self, state: LearnerState) -> None:
        """Go on from a state as if there had been no interruption."""
        for value, kept in zip(self.parameters, state["adapter"], strict=True):
            value.data.copy_(kept)
        self.optimiser.load_state_dict(state["optimiser"])
        self.average.load_state_dict(state["average"])
        self.average.to(self.device)
        self.random.set_state(state["noise"])
        self.steps = state["steps"]
