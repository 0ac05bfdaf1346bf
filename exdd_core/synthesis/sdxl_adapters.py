"""What is put on a Stable Diffusion pipeline without changing its weights: LoRAs and textual inversions.

Knows diffusers' loaders of adapters. Does not know prompts, images or memory.
"""

from __future__ import annotations

import copy
import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open

from exdd_core.errors import BadInput
from exdd_core.synthesis import weights

WEIGHTED = re.compile(r"(.+):(-?\d*\.?\d+)", re.DOTALL)  # "file.safetensors:0.6"


ADAPTER = "adapter.safetensors"  # the LoRA in the folder of an adapter that was taught here
TAUGHT_BY = "exdd_parts"  # in a file's metadata: the physical parts whose images a LoRA was taught with


def taught_by(file: Path) -> list[str]:
    """The physical parts whose images a LoRA was taught with here; [] for one that was made elsewhere."""
    try:
        with safe_open(file, "numpy") as opened:
            parts = json.loads((opened.metadata() or {}).get(TAUGHT_BY, "[]"))
    except (OSError, SafetensorError, ValueError):
        return []
    return [str(part) for part in parts] if isinstance(parts, list) else []


def listed(text: str) -> list[str]:
    """The files of a setting that may name several, with semicolons between them."""
    return [name for part in text.split(";") if (name := part.strip())]


def weighted(text: str) -> list[tuple[str, float]]:
    """The files of a setting with weights, each 1 unless it ends with one: "a.safetensors; b.safetensors:0.6"."""
    found = [(name, WEIGHTED.fullmatch(name)) for name in listed(text)]
    return [(match[1].strip(), float(match[2])) if match else (name, 1.0) for name, match in found]


class Adapters:
    """The LoRAs and textual inversions of one pipeline."""

    def __init__(self, pipe: Any, model: str):
        self.pipe, self.model = pipe, model
        self._loras: list[str] = []
        self._weights: list[float] = []
        self._embeddings: list[str] = []
        self._before: list[tuple[str, Any, str, Any, Any]] = []

    @property
    def worn(self) -> tuple[object, ...]:
        """A value that changes whenever the text encoders may give other embeddings."""
        return (*self._loras, *self._weights, *self._embeddings)

    # --- LoRAs ---

    def use_loras(self, loras: Sequence[tuple[Path, float]]) -> None:
        """Load these LoRAs with their weights, and no others. Raises `BadInput` for a file that does not fit."""
        wanted = [f"{file} {weights.fingerprint(file)}" for file, _ in loras]
        if wanted != self._loras:
            if self._loras:
                self.pipe.unload_lora_weights()
            self._loras, self._weights = [], []
            for number, (file, _) in enumerate(loras):
                self._load_lora(file, f"lora{number or ''}")
            self._loras = wanted
        factors = [weight for _, weight in loras]
        if factors != self._weights:
            self.pipe.set_adapters([f"lora{number or ''}" for number in range(len(loras))], factors)
            self._weights = factors

    def _load_lora(self, file: Path, name: str) -> None:
        try:
            self.pipe.load_lora_weights(
                str(file.parent), weight_name=file.name, adapter_name=name, local_files_only=True
            )
            fits = any(name in names for names in self.pipe.get_list_adapters().values())
        except Exception:  # three libraries raise errors of many types for a file of another kind
            fits = False
        if not fits:
            self.pipe.unload_lora_weights()
            raise BadInput(f"{file} is not a LoRA for {self.model}; choose one made for this model.")

    # --- textual inversions ---

    def use_embeddings(self, files: Sequence[Path]) -> bool:
        """Teach the text encoders these words, and no others; whether any network was replaced.

        A file's word is its name without .safetensors. Raises `BadInput` for a file that does not fit the model.
        """
        wanted = [f"{file} {weights.fingerprint(file)}" for file in files]
        if wanted == self._embeddings:
            return False
        self._forget()
        if files:
            self._remember()
            for file in files:
                self._load_embedding(file)
        self._embeddings = wanted
        return True

    def _encoders(self) -> list[tuple[str, str, str]]:
        """The names of tokenizers and text encoders, and what files call their vectors."""
        both = [("tokenizer", "text_encoder", "clip_l"), ("tokenizer_2", "text_encoder_2", "clip_g")]
        return [names for names in both if getattr(self.pipe, names[1], None) is not None]

    def _remember(self) -> None:
        """Keep tokenizers and embeddings as they are: diffusers' own way back assumes CLIP's numbers of tokens."""
        for tokenizer, encoder, _ in self._encoders():
            network = getattr(self.pipe, encoder)
            kept = getattr(self.pipe, tokenizer), encoder, network.get_input_embeddings()
            self._before.append((tokenizer, *kept, network.config.vocab_size))
            setattr(self.pipe, tokenizer, copy.deepcopy(kept[0]))

    def _forget(self) -> None:
        for tokenizer, words, encoder, embeddings, size in self._before:
            setattr(self.pipe, tokenizer, words)
            network = getattr(self.pipe, encoder)
            network.set_input_embeddings(embeddings)
            network.config.vocab_size = size
        self._before, self._embeddings = [], []

    def _load_embedding(self, file: Path) -> None:
        from safetensors.torch import load_file

        encoders = self._encoders()
        try:
            tensors = load_file(file)
            given = (
                [tensors[name] for _, _, name in encoders] if len(encoders) > 1 else list(tensors.values())
            )
            for (tokenizer, encoder, _), vectors in zip(encoders, given, strict=True):
                network = getattr(self.pipe, encoder)
                self.pipe.load_textual_inversion(
                    vectors.to(network.dtype),
                    token=file.stem,
                    tokenizer=getattr(self.pipe, tokenizer),
                    text_encoder=network,
                )
        except Exception as error:  # as above
            self._forget()
            raise BadInput(
                f"{file} is not a textual inversion for {self.model}, or its name is a word that the model "
                "already knows; choose one made for this model, or rename it."
            ) from error
