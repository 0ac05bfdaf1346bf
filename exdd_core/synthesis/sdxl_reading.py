"""Reads an inpainting pipeline from a folder or a single file.

Knows diffusers, and imports it when a model is read. Does not know where models lie, or memory.
"""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

from exdd_core.errors import BadInput
from exdd_core.progress import Progress
from exdd_core.synthesis import weights
from exdd_core.synthesis.families import FAMILIES

if TYPE_CHECKING:
    import torch


def read_pipeline(path: Path, dtype: torch.dtype, half: bool, progress: Progress) -> Any:
    """Read an inpainting pipeline from a folder or a single file. Raises `BadInput`."""
    try:
        return (
            _read_folder(path, dtype, half, progress) if path.is_dir() else _read_file(path, dtype, progress)
        )
    except (OSError, ValueError, KeyError, RuntimeError, TypeError, AttributeError) as error:
        if isinstance(error, BadInput):
            raise
        raise BadInput(
            f"The model {path} cannot be loaded: {_first(error)} Download it again, or choose another one."
        ) from error


def _read_folder(folder: Path, dtype: torch.dtype, half: bool, progress: Progress) -> Any:
    import diffusers

    content = weights.index(folder)
    sizes, read = weights.weigh(folder), 0
    progress.begin("Loading the model, percent", 100)
    parts: dict[str, object] = {}
    for part, size in sizes.items():
        library, class_name = content[part]
        if library not in ("diffusers", "transformers"):  # a downloaded file must not import other code
            raise BadInput(f"{folder} needs custom code ({library}); choose another model.")
        network = getattr(import_module(library), class_name)
        parts[part] = network.from_pretrained(
            folder,
            subfolder=part,
            variant=weights.variant(folder / part, half),
            local_files_only=True,
            **{"torch_dtype" if library == "diffusers" else "dtype": dtype},
        )
        read += size
        progress.advance(100 * read // sum(sizes.values()) - progress.done)
    family = weights.family_of(folder)
    if family.flows:
        return getattr(diffusers, family.inpainting).from_pretrained(folder, local_files_only=True, **parts)
    # SDXL stored with PAG is SDXL: the engine adds PAG by a setting.
    kind = getattr(diffusers, FAMILIES["xl" if "text_encoder_2" in parts else "sd"].inpainting)
    return kind.from_pretrained(folder, local_files_only=True, **parts, **_extras("text_encoder_2" in parts))


def _read_file(file: Path, dtype: torch.dtype, progress: Progress) -> Any:
    from diffusers import StableDiffusionInpaintPipeline, StableDiffusionXLInpaintPipeline

    from exdd_core.synthesis.blueprint import blueprint

    progress.begin("Loading the model", 1)  # diffusers reports no progress for a single file
    large = weights.family(file).startswith("xl")
    kind = StableDiffusionXLInpaintPipeline if large else StableDiffusionInpaintPipeline
    with blueprint(file) as config:
        pipe = kind.from_single_file(
            str(file), config=str(config), torch_dtype=dtype, local_files_only=True, **_extras(large)
        )
    progress.advance()
    return pipe


def _extras(large: bool) -> dict[str, bool | None]:
    """Options that switch off the watermark and the filter that blackens pictures."""
    return {"add_watermarker": False} if large else {"safety_checker": None, "requires_safety_checker": False}


def silence_libraries() -> None:
    """Switch off progress bars and advice of diffusers and transformers: `Progress` and notes replace them."""
    from diffusers.utils import logging as diffusers_logging
    from transformers.utils import logging as transformers_logging

    for logging in (diffusers_logging, transformers_logging):
        logging.disable_progress_bar()
        logging.set_verbosity_error()


def _first(error: Exception) -> str:
    """The first line of an error's message, as a sentence."""
    line = (str(error).strip().splitlines() or [type(error).__name__])[0].strip()
    return line if line.endswith(".") else line + "."
