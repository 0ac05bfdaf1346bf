"""Expands prompt templates.

A template is a prompt with alternatives in braces, as the dynamicprompts library reads them: `{copper|steel}
{fine|deep} scratches`, `{3::fine|1::deep}` with weights, `{2$$, $$rust|oil|dust}` for two of three. Knows text.
Does not know engines, or where prompts are kept.
"""

from __future__ import annotations

import random
import re
import threading
from collections.abc import Callable, Iterable, Iterator

from exdd_core.errors import BadInput
from exdd_core.sentences import count

MOST_PROMPTS = 64  # of a template of which every prompt is painted
LONGEST = 2000  # characters of a prompt: SDXL reads about 300, and nested braces take their time
# The negative prompt of section 4.1 of the paper. The paper's settings are the defaults of the SDXL engine.
PAPER_NEGATIVE = "smooth, plain, black, dark, shadow"


def expand(template: str, count: int, seed: int) -> list[str]:
    """Draw `count` prompts from a template; the i-th depends only on template and `seed + i`. Raises `BadInput`."""
    if not is_template(check(template)):
        return [squeezed(template)] * count
    from dynamicprompts.enums import SamplingMethod
    from dynamicprompts.parser.parse import parse
    from dynamicprompts.sampling_context import SamplingContext
    from dynamicprompts.wildcards import WildcardManager

    def generate() -> Iterator[str]:
        command = parse(template)  # once, because parsing takes longer than drawing
        for number in range(count):
            chance = random.Random(seed + number)
            context = SamplingContext(SamplingMethod.RANDOM, WildcardManager(None), rand=chance)
            yield next(iter(context.sample_prompts(command, 1))).text

    return _generated(template, generate)


def every(template: str) -> list[str]:
    """All different prompts of a template. Raises `BadInput` for more than `MOST_PROMPTS`."""
    if not is_template(check(template)):
        return [squeezed(template)]
    from dynamicprompts.generators import CombinatorialPromptGenerator
    from dynamicprompts.wildcards import WildcardManager

    expand(template, 1, 0)  # checks the weights, which the generator below ignores
    generator = CombinatorialPromptGenerator(WildcardManager(None))
    # The generator yields some prompts several times, so it is asked for more than `MOST_PROMPTS`.
    found = _generated(template, lambda: generator.generate(template, 16 * MOST_PROMPTS))
    different = list(dict.fromkeys(found))
    if len(different) > MOST_PROMPTS:
        raise BadInput(
            f"This template expands to more than {MOST_PROMPTS} prompts; use fewer alternatives, or draw from them "
            "instead of painting each."
        )
    return different


def is_template(text: str) -> bool:
    """Whether a prompt has alternatives. Only then is it parsed as a template."""
    return "{" in text


def check(template: str) -> str:
    """Return the template, or raise `BadInput` that says what is wrong with it.

    A mistake that the library would silently read as plain text or as a single choice is refused.
    """
    if not template.strip():
        raise BadInput(
            "The prompt is empty; describe what the defect looks like, such as copper metal scratches."
        )
    if len(template) > LONGEST:
        raise BadInput(f"The prompt has {count(len(template), 'character')}; use at most {LONGEST}.")
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
            "Names between double underscores refer to word files, which are not supported here; write the "
            "words themselves, such as {copper|steel}."
        )
    if re.search(r"\{\s*[@~]", template):
        raise BadInput("Alternatives are drawn here, not used in turn; remove the @ or ~ after {.")
    weights = re.findall(r"[{|]\s*(?:\d+(?:\.\d*)?|\.\d+)\s*::", template)
    if len(weights) != template.count("::"):
        raise BadInput(
            "A weight is a number before two colons, as in {3::fine|1::deep}; check the weights in this prompt."
        )
    return template


# pyparsing tries how many arguments an action takes; where two threads try at once, it refuses any prompt.
_reading = threading.Lock()


def _generated(template: str, generate: Callable[[], Iterable[str]]) -> list[str]:
    """The prompts that `generate()` yields, without extra spaces. Raises `BadInput` for all its exceptions."""
    try:
        with _reading:
            found = [squeezed(text) for text in generate()]
    except RecursionError:
        raise BadInput("The braces of this prompt are nested too deeply; use fewer levels.") from None
    except Exception as error:  # pyparsing's, KeyError, ValueError
        variable = "; ${name} has no value" if isinstance(error, KeyError) else ""
        raise BadInput(
            f'The prompt "{squeezed(template)[:80]}" cannot be read{variable}; alternatives look like '
            "{copper|steel}, with weights {3::fine|1::deep}."
        ) from None
    if not all(found):
        raise BadInput("One of the alternatives leaves the prompt empty; add a word next to it.")
    return found


def _around(text: str, place: int) -> str:
    return f'near "{squeezed(text[max(0, place - 12) : place + 12])}"'


def squeezed(text: str) -> str:
    return " ".join(text.split())
