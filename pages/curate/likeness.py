"""Answers the Curate page's script on how much candidates are like real defects, and on the job that compares.

Knows jobs and what is kept. Does not know how anything is compared.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from exdd_core import jobs, studio
from exdd_core.curation import resembling
from exdd_core.errors import BadInput
from exdd_core.sentences import count
from exdd_core.workspace import candidates
from pages.curate.state import Curate
from pages.html import Answer
from pages.questions import Question

if TYPE_CHECKING:
    from exdd_core.curation.comparing import Compared, Lies
    from exdd_core.evaluation.resemblance import Test
    from exdd_core.workspace import Workspace

KIND = "compare"
TOLD = {
    "told apart": "Distinguishable from real ones",
    "not told apart": "Not distinguishable from real ones",
    "surroundings differ": "No verdict: their surroundings already differ",
    "too few": "Too few to tell",
}
MEANING = {
    "told apart": "A classifier finds which are painted; check what gives them away.",
    "not told apart": "With few real defects, only a large difference would show.",
    "surroundings differ": "They are placed differently from real ones; place them like real ones and compare again.",
    "too few": "At least 4 real parts and 4 paintings of a type are needed.",
}


def likeness(shared: Curate, asked: Question) -> Answer:
    """What was found last, whether it still holds, and the comparison that runs, waits or failed."""
    workspace, dataset = shared.workspace, shared.workspace.dataset().name
    found = resembling.kept(workspace, dataset)
    return {
        "job": _job(workspace, dataset),
        "made": found.made if found else "",
        "stale": found is not None and found.stamp != resembling.stamp_of(workspace, dataset),
        "groups": [_group(workspace, one) for one in found.groups] if found else [],
        "any": any(candidates.count(workspace, dataset, status) for status in ("pending", "accepted")),
    }


def _job(workspace: Workspace, dataset: str) -> Answer | None:
    """The last comparison of this data set, where it is not done."""
    ours = [job for job in jobs.listed(workspace) if job.kind == KIND and job.spec.get("dataset") == dataset]
    job = next((job for job in ours if job.active), None) or next(iter(ours), None)
    if job is None or job.state == "done":
        return None
    said = job.text if job.active else job.error or "Cancelled; earlier results are kept."
    return {"id": job.id, "active": job.active, "text": said, "fraction": job.fraction}


def _group(workspace: Workspace, one: Compared) -> Answer:
    """One engine and type as lines (name, value)."""
    figures = one.figures
    lines = [
        (title, _test(test)) for test, title in ((figures.own, "Defects"), (figures.ring, "Surroundings"))
    ]
    if figures.kid is not None:
        spread = f"{figures.kid_real:.2f} ± {figures.kid_spread:.2f}"
        lines.append(("Kernel distance (KID)", f"{figures.kid:.2f}; real from real {spread}"))
    if figures.diversity is not None:
        lines.append(("Diversity", f"{figures.diversity:.2f} of that of real ones"))
        lines.append(("Near-duplicates of real ones", f"{100 * (figures.copies or 0):.0f} %"))
    lines.append(("Position", _lies(one.painted)))
    lines.append(("Position of real ones", f"{_lies(one.real)}; largest gap {one.gap:.2f} of 1"))
    return {
        "title": f"{studio.engine(workspace, one.engine).TITLE}, {one.defect_type or 'no type'}",
        "counts": f"{figures.painted} painted, {figures.real} real on {count(figures.real_parts, 'part')}",
        "verdict": TOLD[one.verdict],
        "light": {"told apart": "red", "not told apart": "green"}.get(one.verdict, "grey"),
        "meaning": MEANING[one.verdict],
        "lines": [(name, value) for name, value in lines if value],
    }


def _test(test: Test | None) -> str:
    return f"AUROC {test.auroc:.2f}, chance up to {test.high:.2f}" if test else ""


def _lies(lies: Lies) -> str:
    return f"{lies.x:.2f} ± {lies.x_spread:.2f} across, {lies.y:.2f} ± {lies.y_spread:.2f} down"


def compare_all(shared: Curate, asked: Question) -> Answer:
    """Queue a comparison of the data set's candidates. Raises `BadInput` where one is on its way."""
    dataset = shared.workspace.dataset().name
    job = _job(shared.workspace, dataset)
    if job and job["active"]:
        raise BadInput("These candidates are already being compared.")
    jobs.submit(shared.workspace, KIND, f"Comparing candidates of {dataset}", {"dataset": dataset})
    return {}


def stop_comparing(shared: Curate, asked: Question) -> Answer:
    """Cancel the comparison of this data set that runs or waits."""
    job = _job(shared.workspace, shared.workspace.dataset().name)
    if job and job["active"]:
        jobs.cancel(shared.workspace, str(job["id"]))
    return {}
