"""Pipelines of the newer families of diffusion models, a few megabytes each, with random weights.

They paint coloured noise, but they load, encode, step and decode as the real ones do. Knows nothing of engines.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

import diffusers
import torch
import transformers

from tests import tiny_sdxl

CHANNELS = 4  # of latents


def build_sd3(folder: Path) -> Path:
    """Save a tiny Stable Diffusion 3 with its three text encoders."""
    torch.manual_seed(0)
    transformer = diffusers.SD3Transformer2DModel(
        sample_size=32,
        patch_size=2,
        in_channels=16,
        num_layers=1,
        attention_head_dim=8,
        num_attention_heads=4,
        joint_attention_dim=80,  # as wide as both text encoders of CLIP
        caption_projection_dim=32,
        pooled_projection_dim=64,
        out_channels=16,
    )
    return _saved(
        diffusers.StableDiffusion3InpaintPipeline(
            transformer=transformer,
            scheduler=diffusers.FlowMatchEulerDiscreteScheduler(shift=3.0),
            vae=_autoencoder(16),
            text_encoder=tiny_sdxl.text(transformers.CLIPTextModelWithProjection, 32),
            tokenizer=tiny_sdxl.tokenizer(folder),
            text_encoder_2=tiny_sdxl.text(transformers.CLIPTextModelWithProjection, 48),
            tokenizer_2=tiny_sdxl.tokenizer(folder),
            text_encoder_3=_t5(80),
            tokenizer_3=_pieces(),
        ),
        folder,
    )


def build_flux_fill(folder: Path) -> Path:
    """Save a tiny FLUX Fill: its transformer sees noise, masked surroundings and the mask, two by two latents."""
    torch.manual_seed(0)
    transformer = diffusers.FluxTransformer2DModel(
        patch_size=1,
        in_channels=4 * CHANNELS + 4 * CHANNELS + 4 * 8 * 8,
        out_channels=4 * CHANNELS,
        num_layers=1,
        num_single_layers=1,
        attention_head_dim=16,
        num_attention_heads=2,
        joint_attention_dim=32,
        pooled_projection_dim=32,
        axes_dims_rope=[4, 4, 8],
        guidance_embeds=True,
    )
    return _saved(
        diffusers.FluxFillPipeline(
            scheduler=diffusers.FlowMatchEulerDiscreteScheduler(use_dynamic_shifting=True),
            vae=_autoencoder(),
            text_encoder=tiny_sdxl.text(transformers.CLIPTextModel, 32),
            tokenizer=tiny_sdxl.tokenizer(folder),
            text_encoder_2=_t5(32),
            tokenizer_2=_pieces(),
            transformer=transformer,
        ),
        folder,
    )


def build_z_image(folder: Path) -> Path:
    """Save a tiny Z-Image."""
    torch.manual_seed(0)
    transformer = diffusers.ZImageTransformer2DModel(
        in_channels=CHANNELS,
        dim=32,
        n_layers=2,
        n_refiner_layers=1,
        n_heads=2,
        n_kv_heads=2,
        cap_feat_dim=16,
        axes_dims=[8, 4, 4],
        axes_lens=[512, 64, 64],
    )
    language = transformers.Qwen3Config(
        vocab_size=300,
        hidden_size=16,
        intermediate_size=16,
        num_hidden_layers=2,
        num_attention_heads=2,
        num_key_value_heads=2,
        head_dim=8,
    )
    return _saved(
        diffusers.ZImageInpaintPipeline(
            scheduler=diffusers.FlowMatchEulerDiscreteScheduler(shift=3.0),
            vae=_autoencoder(),
            text_encoder=transformers.Qwen3Model(language).eval(),
            tokenizer=_bytes(),
            transformer=transformer,
        ),
        folder,
    )


def build_qwen_image(folder: Path) -> Path:
    """Save a tiny Qwen-Image."""
    torch.manual_seed(0)
    transformer = diffusers.QwenImageTransformer2DModel(
        patch_size=2,
        in_channels=4 * CHANNELS,
        out_channels=CHANNELS,
        num_layers=2,
        attention_head_dim=16,
        num_attention_heads=3,
        joint_attention_dim=16,
        axes_dims_rope=(8, 4, 4),
    )
    vae = diffusers.AutoencoderKLQwenImage(
        base_dim=24,
        z_dim=CHANNELS,
        dim_mult=[1, 2, 4, 4],
        num_res_blocks=1,
        temperal_downsample=[False, True, True],
        latents_mean=[0.0] * CHANNELS,
        latents_std=[1.0] * CHANNELS,
    )
    sizes = {"hidden_size": 16, "intermediate_size": 16}
    words: dict[str, Any] = {
        **sizes,
        "vocab_size": 300,
        "num_hidden_layers": 2,
        "num_attention_heads": 2,
        "num_key_value_heads": 2,
        "rope_scaling": {"mrope_section": [1, 1, 2], "rope_type": "default", "type": "default"},
        "rope_theta": 1000000.0,
    }
    sight = {**sizes, "depth": 2, "num_heads": 2, "out_hidden_size": 16}
    language = transformers.Qwen2_5_VLConfig(text_config=words, vision_config=sight)
    return _saved(
        diffusers.QwenImageInpaintPipeline(
            scheduler=diffusers.FlowMatchEulerDiscreteScheduler(use_dynamic_shifting=True),
            vae=vae,
            text_encoder=transformers.Qwen2_5_VLForConditionalGeneration(language).eval(),
            tokenizer=_bytes(),
            transformer=transformer,
        ),
        folder,
    )


BUILDERS: dict[str, Callable[[Path], Path]] = {
    "sd3": build_sd3,
    "flux-fill": build_flux_fill,
    "qwen-image": build_qwen_image,
    "z-image": build_z_image,
}


def _saved(pipeline: Any, folder: Path) -> Path:
    logging.getLogger("diffusers").setLevel(logging.ERROR)
    pipeline.save_pretrained(folder)
    return folder


def _autoencoder(channels: int = CHANNELS) -> diffusers.AutoencoderKL:
    return diffusers.AutoencoderKL(
        block_out_channels=(16, 16, 16, 16),
        down_block_types=("DownEncoderBlock2D",) * 4,
        up_block_types=("UpDecoderBlock2D",) * 4,
        latent_channels=channels,
        norm_num_groups=8,
        sample_size=128,
        shift_factor=0.06,
        scaling_factor=1.5,
        use_quant_conv=False,
        use_post_quant_conv=False,
    )


def _t5(width: int) -> transformers.T5EncoderModel:
    config = transformers.T5Config(vocab_size=300, d_model=width, d_ff=37, d_kv=8, num_layers=2, num_heads=2)
    return transformers.T5EncoderModel(config).eval()


def _letters() -> list[str]:
    return [chr(code) for code in range(33, 127)]


def _pieces() -> transformers.T5Tokenizer:
    """T5's tokenizer with letters for its vocabulary."""
    known = [("<pad>", 0.0), ("</s>", 0.0), ("<unk>", 0.0), ("\u2581", -2.0)]
    return transformers.T5Tokenizer(vocab=known + [(letter, -3.0) for letter in _letters()], extra_ids=0)


def _bytes() -> transformers.Qwen2Tokenizer:
    """Qwen's tokenizer with bytes for its vocabulary."""
    from tokenizers.pre_tokenizers import ByteLevel

    letters = sorted(ByteLevel.alphabet())
    vocabulary = {letter: number for number, letter in enumerate(["<|endoftext|>", *letters])}
    tokenizer = transformers.Qwen2Tokenizer(vocab=vocabulary, merges=[])
    tokenizer.chat_template = "{% for message in messages %}{{ message['content'] }}{% endfor %}"
    return tokenizer
