"""What the Studio page's script asks. Knows fields and types. Does not know what is answered."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from pages.questions import (
    Count,
    Few,
    Id,
    Ids,
    Layer,
    Number,
    One,
    Part,
    Question,
    Setting,
    Settings,
    Text,
    Whole,
)

PAGE = 48  # results that are shown at first


class Results(Question):
    """Candidates by filters, "" for one that lets everything pass."""

    status: Id = ""
    engine: Id = ""
    prompt: Id = ""
    job: Id = ""
    limit: Count = PAGE


class Source(Question):
    """An image by its id or its number. instead: or the first, where it may not be painted on any more."""

    id: Id = ""
    number: Whole = 0
    instead: bool = False


class Like(Question):
    """An image with a defect, and the normal image to paint on, "" for any."""

    id: Id
    surface: Id = ""


class OfType(Question):
    """A type of defect."""

    type: Id


class Sources(Question):
    words: Id
    start: Whole


class Teaching(Question):
    """engine: one that can be taught."""

    engine: Literal["sdxl", "learned"]


class UsedAdapter(Teaching):
    """id: an adapter of that engine, or "" for none."""

    id: Id


class Teach(Teaching):
    surface: Text
    trigger: Id


class Donors(Question):
    from_test: bool


class KeptMask(Question):
    """An uploaded mask: where it is, what it was called, and the image that it is meant for."""

    path: Text
    name: Id
    source: Id


class Mask(Part):
    """A mask as `MaskSpec` has it; one that is drawn has its layer, and its base: the file that it began from."""

    source: Literal["drawn", "uploaded", "real", "generated"]
    vary: bool = False
    prior: bool = True
    from_test: bool = False
    layer: Layer = ""
    base: Id = ""
    file: Id = ""
    image: Id = ""
    x: Number = 0.5
    y: Number = 0.5
    angle: Number = 0.0
    scale: Number = 1.0
    flip: bool = False
    shape: Id = "scratch"
    length: Number = 30.0
    width: Number = 1.0
    irregularity: Number = 0.3
    count: Whole = 1
    seed: Whole = 0
    region: Id = ""


class Painting(Question):
    """The page's form. keep: a mask is stored, to be edited."""

    source: Id
    mask: Mask
    seed: Whole
    keep: bool = False
    where: Id = ""
    engine: Id = ""
    settings: Settings = {}
    template: Text = ""
    negative_prompt: Text = ""
    prompt_id: Id = ""
    count: Whole = 1
    parent: Id = ""
    donor: Id = ""
    defect_type: Id = ""


class Axis(Part):
    """A setting that varies in a comparison, and its values."""

    name: Id
    values: Annotated[list[Setting], Field(max_length=1000)]


class Comparison(Painting):
    axes: Annotated[list[Axis], Field(min_length=1, max_length=2)]


class Search(Painting):
    axes: Annotated[list[Axis], Field(max_length=2)]


class Expand(Question):
    prompt: Text
    count: Whole
    seed: Whole
    engine: Id = ""


class Run(Question):
    run: Id


class Look(Run):
    seen: Whole = 0


class Warm(Question):
    engine: Id


class OfJob(Question):
    job: Id


class Stamp(Question):
    stamp: Text


class Kept(Part):
    """A prompt of the library; a new one has no id."""

    name: Id
    prompt: Text
    negative_prompt: Text = ""
    tags: Few = []
    engine: Id = ""
    settings: Settings = {}
    id: Id = ""
    created: Id = ""
    changed: Id = ""


class Saved(Kept, Question):
    """A prompt to save."""


class Two(Question):
    """Two prompts."""

    a: Id
    b: Id


class Several(Question):
    ids: Ids


class Restored(One):
    """A deleted candidate. draft: whether it was one."""

    draft: bool = False


class File(Question):
    path: Text


Prompts = Annotated[list[Kept], Field(max_length=100_000)]


class Imported(Part):
    """What an import has changed."""

    added: Ids
    replaced: Ids
    before: Prompts
    after: Prompts


class UndoImport(Question):
    imported: Imported
