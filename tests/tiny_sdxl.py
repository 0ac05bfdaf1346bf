"""Stable Diffusion pipelines of a few megabytes with random weights, made of the real classes.

They paint coloured noise, but they load, encode, step and cancel as the real ones do. Knows nothing of engines.
"""

from __future__ import annotations

import json
import logging
import re
from pathlib import Path
from typing import Any

import diffusers
import torch
import transformers
from safetensors.torch import load_file, save_file

WORDS = (
    "copper",
    "metal",
    "scratches",
    "white",
    "marks",
    "on",
    "the",
    "wall",
    "smooth",
    "plain",
    "black",
    "dark",
)

# What SDXL's U-Net has and its predecessors' have not.
LARGE: dict[str, Any] = {
    "cross_attention_dim": 32 + 48,
    "transformer_layers_per_block": (1, 1),
    "use_linear_projection": True,
    "addition_embed_type": "text_time",
    "addition_time_embed_dim": 8,
    "projection_class_embeddings_input_dim": 6 * 8 + 32,
}


def build(folder: Path, half: bool = False) -> Path:
    """Save a tiny StableDiffusionXLInpaintPipeline with a 9-channel UNet into `folder`; half: as variant fp16."""
    logging.getLogger("diffusers").setLevel(logging.ERROR)
    torch.manual_seed(0)
    first, second = text(transformers.CLIPTextModel, 32), text(transformers.CLIPTextModelWithProjection, 48)
    pipeline = diffusers.StableDiffusionXLInpaintPipeline(
        vae=_autoencoder(),
        text_encoder=first,
        text_encoder_2=second,
        tokenizer=tokenizer(folder),
        tokenizer_2=tokenizer(folder),
        unet=_unet(9, **LARGE),
        scheduler=_scheduler(),
        add_watermarker=False,
    )
    return _saved(pipeline, folder, half)


def build_sd15(folder: Path, channels: int = 4) -> Path:
    """Save a tiny Stable Diffusion 1.5 into `folder`; channels: 9 for inpainting weights, 4 for the plain model."""
    torch.manual_seed(1)
    pipeline = diffusers.StableDiffusionInpaintPipeline(
        vae=_autoencoder(),
        text_encoder=text(transformers.CLIPTextModel, 32),
        tokenizer=tokenizer(folder),
        unet=_unet(channels, cross_attention_dim=32),
        scheduler=_scheduler(),
        safety_checker=None,
        feature_extractor=None,
        requires_safety_checker=False,
    )
    return _saved(pipeline, folder, half=False)


def build_embedding(file: Path, vectors: int = 2) -> Path:
    """Save a random textual inversion of so many vectors for the text encoders of `build` as `file`."""
    torch.manual_seed(3)
    save_file({"clip_l": torch.randn(vectors, 32), "clip_g": torch.randn(vectors, 48)}, file)
    return file


def build_lora(file: Path, seed: int = 2) -> Path:
    """Save a small random LoRA for the U-Net of `build` as `file`."""
    from peft import LoraConfig
    from peft.utils import get_peft_model_state_dict

    unet: Any = _unet(9, **LARGE)
    torch.manual_seed(seed)
    unet.add_adapter(LoraConfig(r=2, init_lora_weights=False, target_modules=["to_q", "to_v"]))
    diffusers.StableDiffusionXLInpaintPipeline.save_lora_weights(
        file.parent, unet_lora_layers=get_peft_model_state_dict(unet), weight_name=file.name
    )
    return file


def build_single(folder: Path) -> Path:
    """The weights of `build` in one file next to its folder, named as trainers of SDXL name tensors."""
    tensors = {}
    for part, rename in (("unet", _old_unet), ("vae", _old_vae), ("text_encoder", _old_text)):
        for name, tensor in _state(folder / part).items():
            old = rename(name)
            # Where diffusers has a linear layer, the old autoencoder has a convolution of one pixel.
            tensors[old] = (
                tensor[..., None, None]
                if part == "vae" and ".attn_1." in old and tensor.ndim == 2
                else tensor
            )
    tensors |= _old_text_2(_state(folder / "text_encoder_2"))
    file = folder.with_suffix(".safetensors")
    save_file({name: tensor.contiguous() for name, tensor in tensors.items()}, file)
    return file


def _state(part: Path) -> dict[str, torch.Tensor]:
    return load_file(next(part.glob("*.safetensors")))


def _renamed(name: str, table: dict[str, str]) -> str:
    for new, old in table.items():
        name = re.sub(new, old, name)
    return name


RESNET = {
    r"norm1\.": "in_layers.0.",
    r"conv1\.": "in_layers.2.",
    r"time_emb_proj\.": "emb_layers.1.",
    r"norm2\.": "out_layers.0.",
    r"conv2\.": "out_layers.3.",
    r"conv_shortcut\.": "skip_connection.",
}
UNET = {
    r"^conv_in": "input_blocks.0.0",
    r"^down_blocks\.0\.resnets\.0": "input_blocks.1.0",
    r"^down_blocks\.0\.downsamplers\.0\.conv": "input_blocks.2.0.op",
    r"^down_blocks\.1\.resnets\.0": "input_blocks.3.0",
    r"^down_blocks\.1\.attentions\.0": "input_blocks.3.1",
    r"^mid_block\.resnets\.0": "middle_block.0",
    r"^mid_block\.attentions\.0": "middle_block.1",
    r"^mid_block\.resnets\.1": "middle_block.2",
    r"^up_blocks\.0\.resnets\.(\d)": r"output_blocks.\1.0",
    r"^up_blocks\.0\.attentions\.(\d)": r"output_blocks.\1.1",
    r"^up_blocks\.0\.upsamplers\.0\.conv": "output_blocks.1.2.conv",
    r"^up_blocks\.1\.resnets\.0": "output_blocks.2.0",
    r"^up_blocks\.1\.resnets\.1": "output_blocks.3.0",
    r"^time_embedding\.linear_1": "time_embed.0",
    r"^time_embedding\.linear_2": "time_embed.2",
    r"^add_embedding\.linear_1": "label_emb.0.0",
    r"^add_embedding\.linear_2": "label_emb.0.2",
    r"^conv_norm_out": "out.0",
    r"^conv_out": "out.2",
}


def _old_unet(name: str) -> str:
    table = UNET | RESNET if ".resnets." in name else UNET
    return "model.diffusion_model." + _renamed(name, table)


def _old_vae(name: str) -> str:
    name = re.sub(r"up_blocks\.(\d)", lambda found: f"up.{3 - int(found[1])}", name)
    table = {
        r"down_blocks\.": "down.",
        r"mid_block\.resnets\.0": "mid.block_1",
        r"mid_block\.resnets\.1": "mid.block_2",
        r"mid_block\.attentions\.0": "mid.attn_1",
        r"resnets\.": "block.",
        r"(down|up)samplers\.0": r"\1sample",
        r"conv_shortcut": "nin_shortcut",
        r"conv_norm_out": "norm_out",
        r"group_norm": "norm",
        r"to_out\.0": "proj_out",
        r"to_([qkv])": r"\1",
    }
    return "first_stage_model." + _renamed(name, table)


def _old_text(name: str) -> str:
    return "conditioner.embedders.0.transformer.text_model." + name.removeprefix("text_model.")


def _old_text_2(state: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    table = {
        r"^text_model\.": "",
        r"embeddings\.position_embedding\.weight": "positional_embedding",
        r"embeddings\.token_embedding": "token_embedding",
        r"final_layer_norm": "ln_final",
        r"encoder\.layers": "transformer.resblocks",
        r"layer_norm": "ln_",
        r"\.fc1\.": ".c_fc.",
        r"\.fc2\.": ".c_proj.",
        r"self_attn": "attn",
        r"^text_projection\.weight": "text_projection",
    }
    old = {_renamed(name, table): tensor for name, tensor in state.items()}
    old["text_projection"] = old["text_projection"].T
    for name in [name for name in old if ".q_proj." in name]:
        joined = [old.pop(name.replace("q_proj", f"{letter}_proj")) for letter in "qkv"]
        old[name.replace("q_proj.", "in_proj_")] = torch.cat(joined)
    return {f"conditioner.embedders.1.model.{name}": tensor for name, tensor in old.items()}


def _saved(pipeline: Any, folder: Path, half: bool) -> Path:
    if half:
        pipeline.to(torch.float16)
    pipeline.save_pretrained(folder, variant="fp16" if half else None)
    return folder


def _unet(channels: int, **options: Any) -> diffusers.UNet2DConditionModel:
    return diffusers.UNet2DConditionModel(
        sample_size=16,
        in_channels=channels,
        layers_per_block=1,
        block_out_channels=(32, 64),
        down_block_types=("DownBlock2D", "CrossAttnDownBlock2D"),
        up_block_types=("CrossAttnUpBlock2D", "UpBlock2D"),
        attention_head_dim=(2, 4),
        norm_num_groups=8,
        **options,
    )


def _autoencoder() -> diffusers.AutoencoderKL:
    """Shrinks by 8, as the real one: what is measured in latent cells must hold here too."""
    return diffusers.AutoencoderKL(
        block_out_channels=(16, 16, 16, 16),
        down_block_types=("DownEncoderBlock2D",) * 4,
        up_block_types=("UpDecoderBlock2D",) * 4,
        latent_channels=4,
        norm_num_groups=8,
        sample_size=128,
        force_upcast=False,
    )


def _scheduler() -> diffusers.EulerDiscreteScheduler:
    return diffusers.EulerDiscreteScheduler(
        beta_start=0.00085,
        beta_end=0.012,
        beta_schedule="scaled_linear",
        steps_offset=1,
        timestep_spacing="leading",
    )


def text(kind: type, width: int) -> transformers.CLIPTextModel:
    config = transformers.CLIPTextConfig(
        vocab_size=1000,
        hidden_size=width,
        intermediate_size=37,
        num_hidden_layers=3,
        num_attention_heads=4,
        max_position_embeddings=77,
        projection_dim=32,
        bos_token_id=0,
        eos_token_id=1,
        pad_token_id=1,
    )
    return kind(config).eval()


def tokenizer(folder: Path) -> transformers.CLIPTokenizer:
    """Knows WORDS; everything else is spelt out letter by letter."""
    letters = [chr(code) for code in range(33, 127)]
    tokens = ["<|startoftext|>", "<|endoftext|>", *letters, *(letter + "</w>" for letter in letters)]
    merges: list[str] = []
    for word in WORDS:
        pieces = [*word[:-1], word[-1] + "</w>"]
        while len(pieces) > 1:
            merge = f"{pieces[0]} {pieces[1]}"
            if merge not in merges:
                merges.append(merge)
                tokens.append(pieces[0] + pieces[1])
            pieces[:2] = [pieces[0] + pieces[1]]
    place = folder / "tokenizer"
    place.mkdir(parents=True, exist_ok=True)
    (place / "vocab.json").write_text(
        json.dumps({token: number for number, token in enumerate(dict.fromkeys(tokens))})
    )
    (place / "merges.txt").write_text("#version: 0.2\n" + "\n".join(merges) + "\n")
    return transformers.CLIPTokenizer.from_pretrained(
        place,
        model_max_length=77,
        bos_token="<|startoftext|>",
        eos_token="<|endoftext|>",
        pad_token="<|endoftext|>",
    )
