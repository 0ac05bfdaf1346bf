"""The settings of teaching a LoRA, and the size of picture that memory allows.

Knows names, bounds and bytes. Does not know torch, networks or defects.
"""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import Field, field_validator

from exdd_core.errors import BadInput
from exdd_core.spec import LARGEST_SEED, Spec

GB = 10**9
SIDES = (1024, 768, 512)  # pixels, from the best to the one that needs least
# First guesses for a GPU, not measured yet: activations of one picture of 1024 x 1024 with checkpointed gradients, what
# a trained parameter takes (value, gradient, two moments, average), and what stays for everything else.
ACTIVATIONS, PER_TRAINED, RESERVE = 8.0 * GB, 20, 1.0 * GB
TRAINED_SHARE = 0.0006  # parameters of a LoRA of rank 1 on the attention, over those of the U-Net
EFFECTIVE = 4  # pictures that one step learns from
FEWEST_STEPS, MOST_STEPS, STEPS_EACH = 500, 2000, 100


class TeachingSettings(Spec):
    """How a LoRA is trained. resolution, steps: 0 for what memory and the number of defects suggest."""

    ABOUT: ClassVar[str] = "Teaching"

    resolution: int = Field(
        default=0,
        ge=0,
        le=1024,
        title="resolution",
        description="side length of a crop in pixels; 0: as large as memory allows",
    )
    steps: int = Field(
        default=0,
        ge=0,
        le=20_000,
        title="number of steps",
        description="number of training steps; 0: 100 per defect, between 500 and 2,000",
    )
    rank: int = Field(
        default=16,
        ge=1,
        le=128,
        title="rank",
        description="rank of the LoRA; a higher rank learns more detail",
    )
    rate: float = Field(
        default=1e-4,
        gt=0,
        le=1,
        title="learning rate",
        description="learning rate of AdamW, after 100 warm-up steps",
    )
    every: int = Field(
        default=100,
        ge=1,
        le=1000,
        title="interval",
        description="steps between validations; the training state is also saved at each one",
    )
    variants: int = Field(
        default=12, ge=1, le=64, title="number of crops", description="crops of each defect"
    )
    seed: int = Field(
        default=0,
        ge=0,
        le=LARGEST_SEED,
        title="seed",
        description="seed for the crops, the noise and the LoRA's initial weights",
    )

    @field_validator("resolution")
    @classmethod
    def _fits(cls, side: int) -> int:
        if side % 64:
            raise ValueError(f"The resolution is {side}; it must be a multiple of 64, or 0.")
        return side

    def count_of_steps(self, defects: int) -> int:
        """The number of steps for so many defects.

        >>> TeachingSettings().count_of_steps(9), TeachingSettings(steps=30).count_of_steps(9)
        (900, 30)
        """
        return self.steps or min(MOST_STEPS, max(FEWEST_STEPS, STEPS_EACH * defects))


class TeachSpec(TeachingSettings):
    """Teach an engine the defects of a data set. model: a folder, a file or an id; "" for the usual one."""

    ABOUT: ClassVar[str] = "Teaching"

    dataset: str | None = Field(default=None, title="data set")
    name: str = Field(
        default="",
        title="name of the adapter",
        max_length=60,
        description="name of the adapter (default: the data set's name)",
    )
    surface: str = Field(
        default="surface", title="surface in words", min_length=1, max_length=200,
        description="words for what the images show; prompts become SURFACE with TRIGGER TYPE",
    )  # fmt: skip
    trigger: str = Field(
        default="exdd",
        title="trigger word",
        max_length=40,
        description="word that stands for these defects in prompts",
    )
    model: str = Field(default="", title="model", description="a folder, a .safetensors file or a model id")
    engine: Literal["sdxl", "learned"] = Field(
        default="sdxl",
        title="engine",
        description="engine to teach: sdxl trains a LoRA; learned (experimental) trains a small network "
        "that refines transplants, in about 20 minutes on a CPU, and takes only the number of steps, the "
        "interval and the seed",
    )
    who: str = ""

    def training(self) -> TeachingSettings:
        """The settings of the training alone."""
        given = self.to_json()
        own = TeachingSettings.model_fields
        return TeachingSettings.from_json({name: given[name] for name in own if name in given})


def needed(side: int, unet: int, rank: int, pictures: int = 1) -> float:
    """Bytes of a GPU that teaching takes with `pictures` of side x side pixels at once.

    unet: number of parameters of the U-Net, which lie there in half precision.
    """
    learnt = PER_TRAINED * TRAINED_SHARE * rank * unet
    return 2 * unet + learnt + RESERVE + pictures * ACTIVATIONS * (side / 1024) ** 2


def side_for(free: int | None, unet: int, settings: TeachingSettings, largest: int) -> int:
    """The side of crops that a GPU with `free` bytes (None: no GPU) holds; as asked for, where that was.

    largest: the side that the model was made for. Raises `BadInput` where not even the smallest fits.
    """
    if settings.resolution:
        return settings.resolution
    sides = [side for side in SIDES if side <= largest] or [largest]
    if free is None:
        return sides[-1]
    fitting = [side for side in sides if needed(side, unet, settings.rank) <= free]
    if not fitting:
        least = needed(sides[-1], unet, settings.rank)
        raise BadInput(
            f"Teaching this model needs about {least / GB:.1f} GB of GPU memory, but only {free / GB:.1f} GB "
            "are free; close other programs or use a GPU with more memory."
        )
    return fitting[0]


def at_once(free: float, side: int, unet: int, rank: int) -> int:
    """The number of pictures, 1, 2 or 4, of which gradients are computed at once in `free` bytes."""
    several = [n for n in (4, 2, 1) if needed(side, unet, rank, n) <= free]
    return several[0] if several else 1
