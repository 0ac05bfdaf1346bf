"""One training step of a LoRA on the attention of a Stable Diffusion U-Net, and its loss on held-out examples.

Learns to predict the noise in what lies under a mask (Hu et al. 2021, LoRA; Hang et al. 2023, min-SNR weighting).
Knows torch, peft and diffusers' networks. Does not know images, files or how long one trains.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import diffusers
import torch

from exdd_core.synthesis.families import FAMILIES
from exdd_core.synthesis.optimised import Optimised

NAME = "defects"
ATTENTION = ["to_k", "to_q", "to_v", "to_out.0"]
OUTSIDE = 0.1  # weight of a cell outside the mask; inside it is 1
GAMMA = 5.0  # Hang et al. 2023
WARM_UP = 100  # steps
LARGEST_GRADIENT = 1.0
INPAINTING = 9  # channels of a U-Net that also reads the mask and what lies around it
TIMES = (0.2, 0.4, 0.6, 0.8)  # of all timesteps, at which held-out examples are tried


@dataclass(frozen=True)
class Examples:
    """n crops in the autoencoder's latent space, (h, w) cells each.

    clean, surroundings: float32 (n, 4, h, w), the crop, and the crop without what lies under its mask. mask: float32
    (n, 1, h, w), as the pipeline gives it to the U-Net. covered: the same, 1 for each cell that the mask touches. text:
    int64 (n,), the row of its prompt in `Texts`.
    """

    clean: torch.Tensor
    surroundings: torch.Tensor
    mask: torch.Tensor
    covered: torch.Tensor
    text: torch.Tensor

    def __len__(self) -> int:
        return len(self.clean)

    def at(self, rows: torch.Tensor | slice) -> Examples:
        return Examples(*(value[rows] for value in vars(self).values()))

    def without_text(self) -> Examples:
        """The same with the first of `Texts`, the empty prompt."""
        return replace(self, text=torch.zeros_like(self.text))

    def to(self, device: torch.device) -> Examples:
        return Examples(*(value.to(device) for value in vars(self).values()))


@dataclass(frozen=True)
class Texts:
    """Encoded prompts. words: float (p, tokens, d). pooled: float (p, e) for SDXL, else None."""

    words: torch.Tensor
    pooled: torch.Tensor | None


def weighted_loss(
    predicted: torch.Tensor, target: torch.Tensor, covered: torch.Tensor, outside: float = OUTSIDE
) -> torch.Tensor:
    """The mean squared error of each example, float32 (n,), in which a cell outside its mask weighs `outside`.

    Weights are normalised by their sum, so that the size of a mask does not matter. predicted, target: (n, c, h, w).
    covered: (n, 1, h, w), 0 or 1.
    """
    weights = outside + (1 - outside) * covered.float()
    errors = (predicted.float() - target.float()) ** 2 * weights
    return errors.sum((1, 2, 3)) / (weights.sum((1, 2, 3)) * predicted.shape[1]).clamp(min=1e-8)


def min_snr(schedule: Any, times: torch.Tensor, gamma: float = GAMMA) -> torch.Tensor:
    """The weight of each timestep, float32 (n,): min(SNR, gamma) / SNR, over SNR + 1 where velocity is predicted."""
    from diffusers.training_utils import compute_snr

    snr = compute_snr(schedule, times)
    velocity = schedule.config.prediction_type == "v_prediction"
    return snr.clamp(max=gamma) / (snr + 1 if velocity else snr)


class Learner(Optimised):
    """A pipeline's U-Net with a LoRA, its optimiser, its moving average and its random numbers.

    pipe: with its U-Net on the device to train on. The U-Net's own weights never change.
    """

    def __init__(self, pipe: Any, texts: Texts, rank: int, rate: float, seed: int):
        from diffusers.training_utils import cast_training_params
        from peft import LoraConfig

        self.pipe, self.unet, self.rate = pipe, pipe.unet, rate
        self.precision: torch.dtype = pipe.unet.dtype
        self.unet.requires_grad_(False)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            self.unet.add_adapter(
                LoraConfig(r=rank, lora_alpha=rank, init_lora_weights="gaussian", target_modules=ATTENTION),
                NAME,
            )
        cast_training_params(self.unet, torch.float32)
        self.unet.enable_gradient_checkpointing()
        self.unet.train()
        super().__init__(self.unet, rate, seed, self.unet.device)
        self.texts = Texts(
            texts.words.to(self.device), None if texts.pooled is None else texts.pooled.to(self.device)
        )
        # Schedules for sampling, such as Euler's, add noise in units of their own.
        self.schedule: Any = diffusers.DDPMScheduler.from_config(pipe.scheduler.config)
        self.schedule.alphas_cumprod = self.schedule.alphas_cumprod.to(self.device)

    # --- learning -------------------------------------------------------------------------------------

    def step(self, examples: Examples, pictures: int, at_once: int) -> float:
        """Learn from `pictures` of the examples, drawn at random, `at_once` in one pass; returns their mean loss."""
        rows = torch.randint(len(examples), (pictures,), generator=self.random)
        times = torch.randint(len(self.schedule.alphas_cumprod), (pictures,), generator=self.random)
        noise = torch.randn(pictures, *examples.clean.shape[1:], generator=self.random)
        for group in self.optimiser.param_groups:
            group["lr"] = self.rate * min(1.0, (self.steps + 1) / WARM_UP)
        total = 0.0
        for start in range(0, pictures, at_once):
            some = slice(start, start + at_once)
            losses = self._losses(examples.at(rows[some]), times[some], noise[some], OUTSIDE)
            loss = losses.sum() / pictures
            loss.backward()
            total += float(loss.detach())
        torch.nn.utils.clip_grad_norm_(self.parameters, LARGEST_GRADIENT)
        self.optimiser.step()
        self.optimiser.zero_grad(set_to_none=True)
        self.average.step(self.parameters)
        self.steps += 1
        return total

    def held_out_loss(self, examples: Examples, seed: int) -> float:
        """The mean loss under the masks of examples, with the same noise at the same timesteps every time."""
        random, losses = torch.Generator().manual_seed(seed), []
        count = len(self.schedule.alphas_cumprod)
        times = torch.tensor([int(share * count) for share in TIMES])
        with torch.no_grad():
            for row in range(len(examples)):
                one = examples.at(torch.full((len(times),), row))
                noise = torch.randn(one.clean.shape, generator=random)
                losses.append(float(self._losses(one, times, noise, 0.0).mean()))
        return sum(losses) / len(losses)

    def _losses(
        self, examples: Examples, times: torch.Tensor, noise: torch.Tensor, outside: float
    ) -> torch.Tensor:
        """The loss of each example, float32 (n,)."""
        batch, noise, times = examples.to(self.device), noise.to(self.device), times.to(self.device)
        noisy = self.schedule.add_noise(batch.clean, noise, times)
        target = noise
        if self.schedule.config.prediction_type == "v_prediction":
            target = self.schedule.get_velocity(batch.clean, noise, times)
        predicted = self.predicted(noisy, times, batch)
        return weighted_loss(predicted, target, batch.covered, outside) * min_snr(self.schedule, times)

    def predicted(self, noisy: torch.Tensor, times: torch.Tensor, batch: Examples) -> torch.Tensor:
        """What the U-Net makes of noisy latents (n, 4, h, w) at timesteps (n,)."""
        seen, asked = noisy, {}
        if self.unet.config.in_channels == INPAINTING:
            seen = torch.cat([noisy, batch.mask, batch.surroundings], dim=1)
        if self.texts.pooled is not None:
            cells = noisy.shape[-1] * self.pipe.vae_scale_factor
            side = max(FAMILIES["xl"].side, cells)  # what the engine tells SDXL of such a picture
            sizes = torch.tensor([[side, side, 0, 0, side, side]], dtype=torch.float32, device=self.device)
            asked["added_cond_kwargs"] = {
                "text_embeds": self.texts.pooled[batch.text],
                "time_ids": sizes.expand(len(noisy), -1),
            }
        words, is_half = self.texts.words[batch.text], self.precision != torch.float32
        with torch.autocast(self.device.type, torch.bfloat16, enabled=is_half):
            return self.unet(seen, times, words, return_dict=False, **asked)[0]

    def weights(self) -> dict[str, torch.Tensor]:
        """The LoRA as it is now, by the names that diffusers' loaders read."""
        from diffusers.utils import convert_state_dict_to_diffusers
        from peft.utils import get_peft_model_state_dict

        state = convert_state_dict_to_diffusers(get_peft_model_state_dict(self.unet, adapter_name=NAME))
        return {f"unet.{name}": value.detach().cpu().clone().contiguous() for name, value in state.items()}


def joined(several: Sequence[Examples]) -> Examples:
    """Examples one after another."""
    return Examples(
        *(torch.cat(values) for values in zip(*(vars(one).values() for one in several), strict=True))
    )
