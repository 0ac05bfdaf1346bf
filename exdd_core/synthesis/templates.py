"""Prompts as templates with alternatives.

Knows text. Does not know engines, or where prompts are kept. A template is a prompt with alternatives in
braces, as the dynamicprompts library reads them: `{copper|steel} {fine|deep} scratches`, `{3::fine|1::deep}`
for weights, `{2$$, $$rust|oil|dust}` for two of three.
"""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Iterable, Iterator

from exdd_core.errors import BadInput

MOST_PROMPTS = 64  # that a template may become where every one of them is painted
LONGEST = 2000  # characters of a prompt: SDXL reads about 300, and nested braces take their time
# Section 4.1 of the paper, both with the same negative prompt. They name no engine: the settings that the paper
# used are the SDXL engine's defaults, and any engine may paint them.
PAPER_NEGATIVE = "smooth, plain, black, dark, shadow"


def expand(template: str, count: int, seed: int) -> list[str]:
    """`count` prompts of a template; the i-th depends on the template and `seed + i` alone. Raises BadInput."""
    if not is_template(check(template)):
        return [squeezed(template)] * count
    from dynamicprompts.enums import SamplingMethod
    from dynamicprompts.parser.parse import parse
    from dynamicprompts.sampling_context import SamplingContext
    from dynamicprompts.wildcards import WildcardManager

    def generate() -> Iterator[str]:
        command = parse(template)  # once: it takes longer than all the drawing
        for number in range(count):
            chance = random.Random(seed + number)
            context = SamplingContext(SamplingMethod.RANDOM, WildcardManager(None), rand=chance)
            yield next(iter(context.sample_prompts(command, 1))).text

    return _generated(template, generate)


def every(template: str) -> list[str]:
    """Every prompt that a template can become, each once. Raises BadInput for more than `MOST_PROMPTS`."""
    if not is_template(check(template)):
        return [squeezed(template)]
    from dynamicprompts.generators import CombinatorialPromptGenerator
    from dynamicprompts.wildcards import WildcardManager

    expand(template, 1, 0)  # says what is wrong with weights, which do not matter from here on
    generator = CombinatorialPromptGenerator(WildcardManager(None))
    # The generator repeats equal prompts, so it is asked for more of them than may remain.
    found = _generated(template, lambda: generator.generate(template, 16 * MOST_PROMPTS))
    different = list(dict.fromkeys(found))
    if len(different) > MOST_PROMPTS:
        raise BadInput(
            f"This template becomes more than {MOST_PROMPTS} prompts; use fewer alternatives, or draw from them "
            "instead of painting each."
        )
    return different


def is_template(text: str) -> bool:
    """Whether there is anything to choose in a prompt. Only then is it read as a template: 50 % is just 50 %."""
    return "{" in text


def check(template: str) -> str:
    """The template itself; raises BadInput with what is wrong with it.

    What the library would take for plain text, or always answer alike, is refused: nobody would notice.
    """
    if not template.strip():
        raise BadInput("The prompt is empty; say what the defect looks like, such as copper metal scratches.")
    if len(template) > LONGEST:
        raise BadInput(f"The prompt has {len(template)} characters; use at most {LONGEST}.")
    depth = 0
    for place, letter in enumerate(template):
        depth += {"{": 1, "}": -1}.get(letter, 0)
        if depth < 0:
            raise BadInput(f"The prompt closes a brace that it never opened, {_around(template, place)}.")
    if depth:
        raise BadInput(
            f"The prompt opens a brace that it never closes, {_around(template, template.rindex('{'))}; "
            "alternatives look like {copper|steel}."
        )
    if not is_template(template):
        return template
    if "__" in template:
        raise BadInput(
            "Names between double underscores stand for files of words, which are not used here; write the "
            "words themselves, such as {copper|steel}."
        )
    if re.search(r"\{\s*[@~]", template):
        raise BadInput("Alternatives are drawn here, they do not take turns; leave out the @ or ~ after {.")
    weights = re.findall(r"[{|]\s*(?:\d+(?:\.\d*)?|\.\d+)\s*::", template)
    if len(weights) != template.count("::"):
        raise BadInput("A weight is a number before two colons, as in {3::fine|1::deep}; check those here.")
    return template


def _generated(template: str, generate: Callable[[], Iterable[str]]) -> list[str]:
    """The prompts that `generate()` yields, squeezed. Raises `BadInput` with one sentence for all its exceptions."""
    try:
        found = [squeezed(text) for text in generate()]
    except RecursionError:
        raise BadInput("The braces of this prompt are nested too deeply; use fewer levels.") from None
    except Exception as error:  # pyparsing's, KeyError, ValueError: whatever the grammar trips over
        variable = "; ${name} was never given a value" if isinstance(error, KeyError) else ""
        raise BadInput(
            f'The prompt "{squeezed(template)[:80]}" cannot be read{variable}; alternatives look like '
            "{copper|steel}, with weights {3::fine|1::deep}."
        ) from None
    if not all(found):
        raise BadInput("One of the alternatives leaves the prompt empty; put a word beside it.")
    return found


def _around(text: str, place: int) -> str:
    return f'near "{squeezed(text[max(0, place - 12) : place + 12])}"'


def squeezed(text: str) -> str:
    return " ".join(text.split())
