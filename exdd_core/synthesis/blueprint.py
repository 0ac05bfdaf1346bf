"""The configuration that a single .safetensors file lacks: the networks that its weights belong to.

Such a file holds tensors only, and diffusers would fetch the rest from the hub. This module writes it for Stable
Diffusion 1.5 and XL, plain and for inpainting, so that a single file works without a network. The tokenizer's
vocabulary comes with the package open-clip-torch, an extra. Does not know weights.
"""

from __future__ import annotations

import contextlib
import gzip
import importlib.util
import json
import tempfile
from collections.abc import Iterator
from pathlib import Path

from exdd_core import extras
from exdd_core.synthesis import weights

SCHEDULER = {
    "_class_name": "EulerDiscreteScheduler",
    "beta_start": 0.00085,
    "beta_end": 0.012,
    "beta_schedule": "scaled_linear",
    "num_train_timesteps": 1000,
    "prediction_type": "epsilon",
    "steps_offset": 1,
    "timestep_spacing": "leading",
}
VAE = {
    "_class_name": "AutoencoderKL",
    "block_out_channels": [128, 256, 512, 512],
    "down_block_types": ["DownEncoderBlock2D"] * 4,
    "up_block_types": ["UpDecoderBlock2D"] * 4,
    "layers_per_block": 2,
}
UNET = {  # of Stable Diffusion 1.5; diffusers has the same defaults for the rest
    "_class_name": "UNet2DConditionModel",
    "sample_size": 64,
    "cross_attention_dim": 768,
    "attention_head_dim": 8,
}
UNET_XL = {
    "_class_name": "UNet2DConditionModel",
    "sample_size": 128,
    "block_out_channels": [320, 640, 1280],
    "down_block_types": ["DownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D"],
    "up_block_types": ["CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "UpBlock2D"],
    "cross_attention_dim": 2048,
    "attention_head_dim": [5, 10, 20],
    "transformer_layers_per_block": [1, 2, 10],
    "use_linear_projection": True,
    "addition_embed_type": "text_time",
    "addition_time_embed_dim": 256,
    "projection_class_embeddings_input_dim": 2816,
}
TEXT = {  # CLIP ViT-L/14
    "architectures": ["CLIPTextModel"],
    "model_type": "clip_text_model",
    "vocab_size": 49408,
    "max_position_embeddings": 77,
    "hidden_size": 768,
    "intermediate_size": 3072,
    "num_hidden_layers": 12,
    "num_attention_heads": 12,
    "projection_dim": 768,
    "hidden_act": "quick_gelu",
    "bos_token_id": 0,
    "eos_token_id": 2,
    "pad_token_id": 1,
}
TEXT_XL = {  # OpenCLIP ViT-bigG/14
    **TEXT,
    "architectures": ["CLIPTextModelWithProjection"],
    "hidden_size": 1280,
    "intermediate_size": 5120,
    "num_hidden_layers": 32,
    "num_attention_heads": 20,
    "projection_dim": 1280,
    "hidden_act": "gelu",
}


@contextlib.contextmanager
def blueprint(file: Path) -> Iterator[Path]:
    """A folder of configurations for a single file's weights, as diffusers' `from_single_file(config=)` reads it.

    A folder in the same place that has the file's name without .safetensors, and a model_index.json, is used
    instead: for models that were trained with other settings. Raises `BadInput` for a file that holds no such
    model, and where the vocabulary is not installed.
    """
    own = own_configuration(file)
    if own is not None:
        yield own
        return
    with tempfile.TemporaryDirectory(prefix="exdd-") as made:
        write(Path(made), weights.family(file))
        yield Path(made)


def own_configuration(file: Path) -> Path | None:
    """The folder of configurations with a single file's name in the same place; None where there is none."""
    own = file.with_suffix("")
    return own if (own / "model_index.json").is_file() else None


def write(folder: Path, family: str) -> None:
    """Write the configuration of a `family`, as `weights.family` names it, into an empty folder."""
    large, inpaint = family.startswith("xl"), family.endswith("-inpaint")
    unet = {**(UNET_XL if large else UNET), "in_channels": 9 if inpaint else 4}
    # The autoencoder of SDXL base overflows in half precision; that of its inpainting model does not.
    vae = {**VAE, "scaling_factor": 0.13025 if large else 0.18215, "force_upcast": large}
    index: dict[str, object] = {
        "_class_name": "StableDiffusionXLInpaintPipeline" if large else "StableDiffusionInpaintPipeline",
        "scheduler": ["diffusers", "EulerDiscreteScheduler"],
        "text_encoder": ["transformers", "CLIPTextModel"],
        "tokenizer": ["transformers", "CLIPTokenizer"],
        "unet": ["diffusers", "UNet2DConditionModel"],
        "vae": ["diffusers", "AutoencoderKL"],
    }
    files = {
        "scheduler/scheduler_config.json": SCHEDULER,
        "unet/config.json": unet,
        "vae/config.json": vae,
        "text_encoder/config.json": TEXT,
    }
    _write_tokenizer(folder / "tokenizer", "<|endoftext|>")
    if large:
        index["text_encoder_2"] = ["transformers", "CLIPTextModelWithProjection"]
        index["tokenizer_2"] = ["transformers", "CLIPTokenizer"]
        index["force_zeros_for_empty_prompt"] = True
        files["text_encoder_2/config.json"] = TEXT_XL
        _write_tokenizer(folder / "tokenizer_2", "!")
    for name, content in {**files, "model_index.json": index}.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(json.dumps(content))


def _write_tokenizer(folder: Path, padding: str) -> None:
    """Write CLIP's 49,408 tokens: bytes, bytes that end a word, merges in order, the start and end of a text."""
    extras.SDXL_FILE.require()
    package = importlib.util.find_spec(extras.SDXL_FILE.module)
    assert package is not None and package.origin is not None
    packed = Path(package.origin).with_name("bpe_simple_vocab_16e6.txt.gz")
    merges = gzip.decompress(packed.read_bytes()).decode().split("\n")[1 : 49152 - 256 - 2 + 1]
    letters = _letters()
    tokens = [
        *letters,
        *(letter + "</w>" for letter in letters),
        *(merge.replace(" ", "") for merge in merges),
    ]
    tokens += ["<|startoftext|>", "<|endoftext|>"]
    folder.mkdir(parents=True)
    (folder / "vocab.json").write_text(json.dumps({token: number for number, token in enumerate(tokens)}))
    (folder / "merges.txt").write_text("\n".join(["#version: 0.2", *merges, ""]), encoding="utf-8")
    settings = {
        "tokenizer_class": "CLIPTokenizer",
        "model_max_length": 77,
        "bos_token": "<|startoftext|>",
        "eos_token": "<|endoftext|>",
        "unk_token": "<|endoftext|>",
        "pad_token": padding,
    }
    (folder / "tokenizer_config.json").write_text(json.dumps(settings))


def _letters() -> list[str]:
    """The 256 bytes as printable characters, in the order in which byte-level BPE (GPT-2, CLIP) numbers them."""
    plain = [*range(33, 127), *range(161, 173), *range(174, 256)]
    return [*map(chr, plain), *(chr(256 + number) for number in range(256 - len(plain)))]
