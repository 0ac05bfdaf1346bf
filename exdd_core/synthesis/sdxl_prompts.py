"""Encodes prompts for a Stable Diffusion pipeline, each once, and reads the weights of their words.

Knows tokenizers, text encoders and embeddings. Does not know images, settings or where weights lie.
"""

from __future__ import annotations

import re
from collections import OrderedDict
from collections.abc import Hashable, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import torch

KEPT = 256  # pairs of prompt and negative prompt
NAMES = ("prompt_embeds", "negative_prompt_embeds", "pooled_prompt_embeds", "negative_pooled_prompt_embeds")
STRONGER = 1.1  # a pair of round brackets without a number multiplies by this, a pair of square ones divides
PIECE = re.compile(r"\\([()\[\]\\])|:\s*(-?\d*\.?\d+)\s*\)|([()\[\]])|([^\\()\[\]:]+|.)", re.DOTALL)


def pieces(prompt: str) -> list[tuple[str, float]]:
    """The parts of a prompt with their weights, as AUTOMATIC1111's web UI reads them.

    >>> pieces("copper (scratches:1.4), [dark]")
    [('copper', 1.0), ('scratches', 1.4), (',', 1.0), ('dark', 0.9090909090909091)]
    """
    found: list[list[Any]] = []
    opened: list[tuple[str, int]] = []  # brackets that are still open, and the number of pieces before each
    for escaped, number, bracket, text in PIECE.findall(prompt):
        closing = ")" if number else bracket
        if bracket in ("(", "["):
            opened.append((bracket, len(found)))
        elif closing and opened and opened[-1][0] + closing in ("()", "[]"):
            factor = float(number) if number else STRONGER if closing == ")" else 1 / STRONGER
            for piece in found[opened.pop()[1] :]:
                piece[1] *= factor
        else:  # a bracket that nothing opened is text
            found.append([escaped or text or (f":{number})" if number else bracket), 1.0])
    return [(text.strip(), weight) for text, weight in found if text.strip()]


def plain(prompt: str) -> str:
    """A prompt without the brackets and numbers that weigh its words."""
    found = pieces(prompt)
    if "\\" not in prompt and all(weight == 1 for _, weight in found):
        return prompt
    return " ".join(text for text, _ in found)


class Prompts:
    """The encoded prompts of one pipeline. `adapters` is part of their key: they change the text encoders."""

    def __init__(self, pipe: Any):
        self.pipe = pipe
        self._embeddings: OrderedDict[Hashable, dict[str, torch.Tensor]] = OrderedDict()

    def encoded(self, pairs: Sequence[tuple[str, str]], adapters: Hashable) -> dict[str, torch.Tensor]:
        """The pipeline's arguments for pairs of a prompt and a negative prompt."""
        import torch

        each = [self._encode(prompt, negative, adapters) for prompt, negative in pairs]
        return {name: torch.cat([embeddings[name] for embeddings in each]) for name in each[0]}

    def _encode(self, prompt: str, negative: str, adapters: Hashable) -> dict[str, torch.Tensor]:
        key = (prompt, negative, adapters)
        if key not in self._embeddings:
            encoded = self.pipe.encode_prompt(
                prompt=plain(prompt),
                device=self.pipe._execution_device,
                num_images_per_prompt=1,
                do_classifier_free_guidance=True,
                negative_prompt=plain(negative) or None,  # SDXL was trained with zeros where there is none
            )
            found = dict(zip(NAMES, encoded, strict=False))
            for name, text in zip(NAMES, (prompt, negative), strict=False):
                found[name] = self._weighted(found[name], text)
            self._embeddings[key] = found
            if len(self._embeddings) > KEPT:
                self._embeddings.popitem(last=False)
        self._embeddings.move_to_end(key)
        return self._embeddings[key]

    def _weighted(self, embeddings: torch.Tensor, prompt: str) -> torch.Tensor:
        """Embeddings, (1, tokens, d), with each token's scaled by the weight of its word."""
        import torch

        factors = torch.ones(embeddings.shape[1])
        start = 1  # after the token that starts a text
        for text, weight in pieces(prompt):
            end = start + len(self._tokens(text))
            factors[start:end] = weight
            start = end
        if bool((factors == 1).all()):
            return embeddings
        return embeddings * factors.to(embeddings)[None, :, None]

    def _tokens(self, text: str) -> list[int]:
        tokenizer = self.pipe.tokenizer
        # A textual inversion's word may have several vectors.
        text = self.pipe.maybe_convert_prompt(text, tokenizer)
        return list(tokenizer(text, truncation=False, verbose=False, add_special_tokens=False).input_ids)

    def cut_off(self, prompt: str) -> str:
        """The end of a prompt, beyond the 77 tokens that the text encoders read."""
        tokenizer = self.pipe.tokenizer
        return tokenizer.decode(self._tokens(plain(prompt))[tokenizer.model_max_length - 2 :]).strip()
