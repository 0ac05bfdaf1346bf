"""The form that queues a build.

Knows Gradio, jobs and the options of a build. Does not know how a bank is computed.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import gradio as gr

from exdd_core.banks import options
from exdd_core.errors import BadInput
from exdd_core.images import Size
from exdd_core.workspace import candidates
from pages import answers, job_panel
from pages.banks.parts import whole
from pages.banks.version_rows import ANSWERED_JS, BEGUN_JS
from pages.guard import person
from pages.who import WHO_JS

if TYPE_CHECKING:
    from exdd_core.workspace import Workspace

POSITIVES = {
    "Real defects of the training split": "real",
    "Real and accepted painted ones": "both",
    "Accepted painted ones only": "synthetic",
    "None: normal images only, as PatchCore": "none",
}
LIKENESS = {"Not specified": None, "Somewhat": 0.1, "Like mine": 1.0}  # `BankOptions.likeness` in words
ALL_PARTS = "All of them"
OWN_BACKBONE = ""  # the workspace's
FUSION_HELP = {
    "auto": "Best for the available defects",
    "context": "context: normal distance and what defects and their surroundings look like",
    "stacked": "stacked: weighs both banks and a learned direction",
    "open_set": "open_set: normal distance, raised close to known defects",
    "distance_ratio": "distance_ratio: normal distance times the ratio",
    "ratio": "ratio: normal distance over defect distance",
    "supervised": "supervised: the learned direction alone",
    "paper": "paper: Eq. 12-20 with PatchCore's sign of the weights",
    "paper_literal": "paper_literal: Eq. 12-20 with the paper's sign",
    "patchcore": "patchcore: the normal bank alone",
}
FORM_JS = f"(...given) => {{ {BEGUN_JS} return [...given.slice(0, -1), {WHO_JS}]; }}"


class Builder:
    """The form that queues a build; `job` shows its progress and result in the row of the page's heading."""

    def __init__(self, workspace: Workspace, heading: gr.Row):
        self.workspace = workspace
        with gr.Column(elem_id="build", elem_classes="card form-card"):
            answers.markup('<h2 class="card-title">Build a bank version</h2>')
            self.dataset = gr.Dropdown(
                [], label="Data set", info="Its training split is what banks learn from."
            )
            self.positives = gr.Radio(
                list(POSITIVES),
                value=next(iter(POSITIVES)),
                label="Defects to learn from",
                info="Patches on a defect, according to its mask.",
                interactive=False,  # until it is known whether there are accepted paintings, as for the button
            )
            self.likeness = gr.Radio(
                list(LIKENESS),
                value=next(iter(LIKENESS)),
                label="How much do painted defects look like yours?",
                info="Used until a real defect is known; after that, how well painted ones find real ones decides.",
            )
            self.parts = gr.Textbox(
                label="Defective parts",
                info="Maximum, to see how few are enough. Empty: all.",
                placeholder=ALL_PARTS,
                max_lines=1,
            )
            self._build_advanced()
            with gr.Column(elem_classes="form-foot"):
                self.note = answers.note()
                # Until the data sets are listed; by then there is something to build from.
                self.start = gr.Button("Build", variant="primary", elem_id="build-start", interactive=False)
            self.who = gr.Textbox(visible=False)  # FORM_JS fills it in
        with heading, gr.Column(elem_classes="heading-job"):
            self.job = job_panel.JobPanel(workspace, "build")
        self.given = [self.dataset, self.positives, self.parts, self.negative, self.positive, self.size]
        self.given += [self.aspect, self.fusion, self.backbone, self.seed, self.likeness, self.who]
        self.outputs = [self.dataset, self.positives, self.size, self.aspect, self.start]

    def _build_advanced(self) -> None:
        with answers.folded("More settings"):
            self.fusion = gr.Dropdown(
                [("Best for the available defects", "auto")],
                value="auto",
                label="Fusion",
                info="How the two distances are combined into one score.",
            )
            share = functools.partial(gr.Number, min_width=120, precision=3)
            with gr.Row():
                self.negative = share(1, label="Negative share kept", info="% of normal patches, up to 100.")
                self.positive = share(10, label="Positive share kept", info="% of defect patches, up to 100.")
            with gr.Row():
                self.size = gr.Textbox(
                    label="Size", info="Width x height in pixels.", max_lines=1, min_width=120
                )
                self.seed = gr.Number(
                    0, label="Seed", info="Same seed, same bank.", precision=0, min_width=120
                )
            self.aspect = gr.Checkbox(
                label="Keep the aspect ratio", info="Fit images into the size; do not stretch them."
            )
            self.backbone = gr.Dropdown(
                [("Workspace default", OWN_BACKBONE)],
                value=OWN_BACKBONE,
                label="Backbone",
                info="The network that describes patches.",
            )

    def connect(
        self,
        refresh: Callable[..., dict[Any, Any]],
        outputs: list[Any],
        begun: Callable[[], dict[Any, Any]],
        listed: list[Any],
    ) -> None:
        """refresh: updates `outputs` when a build has ended; begun: updates `listed` when one was ordered."""

        # In one answer: a list that comes by a later event could replace the one that the end of a short build brings.
        def begin(*given: Any) -> dict[Any, Any]:
            return self._begin(*given) | begun()

        self.dataset.input(
            answers.toasted(self._size_of), self.dataset, [self.size, self.aspect], **answers.HIDDEN
        )

        self.job.connect(refresh, outputs)
        said = answers.sentences(self.note)(begin)
        ordered = self.start.click(said, self.given, [self.note, *listed], js=FORM_JS, **answers.QUIET)
        ordered.then(None, js=ANSWERED_JS)
        self.job.look_after(ordered).then(None, js=job_panel.SEEN_JS)

    def rebuild(self, id: str, who: str) -> None:
        """Queue a build with that version's settings, from the current data set and decisions."""
        name, spec = self.workspace.bank(id).name, options.rebuild_spec(self.workspace, id, who)
        self.job.begin("build", f"Rebuilding {name}", spec.to_json())

    def updates(self) -> dict[Any, Any]:
        """The names of all data sets, and the active one's size."""
        names = [(info.called, info.name) for info in self.workspace.datasets()]
        active = self.workspace.active_dataset()
        painted = active is not None and candidates.count(self.workspace, active.name, "accepted") > 0
        return {
            self.positives: gr.update(value=list(POSITIVES)[1 if painted else 0], interactive=True),
            self.dataset: gr.update(choices=names, value=active.name if active else None),
            self.size: str(active.size) if active else "",
            self.aspect: active.size.keep_aspect if active else False,
            self.start: gr.update(interactive=bool(names)),
        }

    def choices(self) -> tuple[Any, Any]:
        """The available fusions and backbones."""
        from exdd_core.detector import backbones
        from exdd_core.detector.fusion import FUSIONS

        own = self.workspace.backbone_name
        fusions = [(FUSION_HELP.get(name, name), name) for name in ("auto", *reversed(FUSIONS))]
        networks = [
            (f"Workspace default: {own}", OWN_BACKBONE),
            *((n, n) for n in backbones.NAMES if n != own),
        ]
        return gr.update(choices=fusions), gr.update(choices=networks)

    def _size_of(self, name: str) -> tuple[str, bool]:
        size = self.workspace.dataset(name).size
        return str(size), size.keep_aspect

    def _begin(self, *given: Any) -> dict[Any, Any]:
        dataset, positives, parts, negative, positive, size, aspect, fusion, backbone, seed, likeness, who = (
            given
        )
        if not dataset:
            raise BadInput("There is no data set yet; import images on the Data page first.")
        wanted = options.BuildOptions(
            dataset=dataset,
            positives=POSITIVES[positives],
            max_real_parts=whole(parts, "number of defective parts") if parts.strip() else None,
            negative_ratio=_share(negative, "negative"),
            positive_ratio=_share(positive, "positive"),
            size=str(Size.parse(size)),
            keep_aspect=aspect,
            fusion=fusion,
            backbone=backbone or None,
            seed=whole(seed, "seed"),
            likeness=LIKENESS[likeness],
            who=person(who),
        )
        self.job.begin(
            "build",
            f"Building a bank version from {self.workspace.dataset(dataset).called}",
            wanted.to_json(),
        )
        return {}


def _share(percent: float | None, bank: str) -> float:
    if percent is None or not 0 < percent <= 100:
        raise BadInput(f"The {bank} share kept must be above 0 and at most 100 %.")
    return percent / 100
