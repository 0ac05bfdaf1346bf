"""Answers programs that order long work, paintings and builds, and that look after jobs.

Knows jobs and the studio. Does not know what a job does.
"""

from __future__ import annotations

from fastapi import APIRouter

from exdd_core import jobs
from exdd_core.api import answers, questions
from exdd_core.api.served import Here, Sentences, Served
from exdd_core.banks.options import BuildOptions
from exdd_core.sentences import count
from exdd_core.spec import Json

router = APIRouter(route_class=Sentences, tags=["jobs"])


@router.post("/synthesize", status_code=202)
def synthesize(here: Here, asked: questions.Paint) -> answers.Job:
    """Queue the painting of defects into normal images; each result becomes a pending candidate."""
    from exdd_core import studio
    from exdd_core.synthesis import mask_spec
    from exdd_core.synthesis.orders import Order

    dataset = here.workspace.dataset(asked.dataset).name
    order = Order(
        dataset=dataset,
        engine=asked.engine or studio.default_engine(here.workspace),
        sources=list(asked.images),
        template=asked.prompt,
        negative_prompt=asked.negative_prompt,
        settings=asked.settings,
        mask=mask_spec.varied(asked.shape, anywhere=asked.anywhere),
        count=asked.count,
        each=asked.each,
        seed=asked.seed,
        defect_type=asked.defect_type,
    )
    for path in studio.files_of(order):
        here.allowed(path)
    number = len(studio.recipes(here.workspace, order))
    painter = studio.engine(here.workspace, order.engine)
    title = f"Painting {count(number, 'defect')} with {painter.TITLE}"
    return _queued(here, "synthesize", title, order.to_json())


@router.post("/build", status_code=202)
def build(here: Here, asked: BuildOptions) -> answers.Job:
    """Queue the build of a bank version. It becomes active unless `activate` is false or the gate holds it back;
    `held` and `lines` of the job's result then say why."""
    name = here.workspace.dataset(asked.dataset).name
    wanted = asked.model_copy(update={"dataset": name, "who": here.person(asked.who), "made_for": ""})
    return _queued(here, "build", f"Building a bank version from {name}", wanted.to_json())


@router.get("/jobs")
def list_jobs(here: Here, active: bool = False) -> list[answers.Job]:
    """The running job, the waiting ones and, unless `active` is true, those that have ended, most recent first."""
    return [answers.Job.model_validate(job) for job in jobs.listed(here.workspace, active=active)]


@router.get("/jobs/{id}")
def job(here: Here, id: str) -> answers.Job:
    """The job with an id: its progress, and its result once it is done."""
    return answers.Job.model_validate(jobs.get(here.workspace, id))


@router.post("/jobs/{id}/cancel")
def cancel(here: Here, id: str) -> answers.Job:
    """Cancel the job with an id: a waiting one immediately, a running one at its next step."""
    return answers.Job.model_validate(jobs.cancel(here.workspace, id))


def _queued(here: Served, kind: str, title: str, spec: Json) -> answers.Job:
    return answers.Job.model_validate(jobs.submit(here.workspace, kind, title, spec))
