"""The test images that no bank was built from, and the accepted synthetic defects.

Knows data sets and what bank versions were built from. Does not know metrics.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from exdd_core.errors import BadInput
from exdd_core.sentences import count

if TYPE_CHECKING:
    from exdd_core.detector.bank import BankImage
    from exdd_core.detector.examples import TrainingImage
    from exdd_core.workspace import ImageRow, Workspace


def unseen_images(
    workspace: Workspace,
    dataset: str,
    known: Iterable[BankImage | TrainingImage],
    state: int | None = None,
) -> tuple[list[ImageRow], str]:
    """The test images of parts that no bank was built from, and one sentence on the others ("" for none).

    A bank may know a test image by a mark of a person (a missed defect, a false alarm) or by a defect that
    was painted into it. known: the images that banks were built from. state: of the data set; None: the
    current one. Raises `BadInput` where no image is left.
    """
    from exdd_core.banks import teachers

    rows = workspace.images(dataset, split="test", state=state)
    if not rows:
        raise BadInput(f'The data set "{dataset}" has no test images; measure it with folds instead.')
    known_groups = {found.detail["group"] for found in teachers.marked_images(workspace, dataset).values()}
    trained = {row.id for row in workspace.images(dataset, split="train", state=state)}
    for image in known:  # also marks that were undone after the version was built
        if image.origin == "synthetic" or image.id not in trained:
            known_groups |= image.parts
    left = [row for row in rows if row.group not in known_groups]
    if not left:
        raise BadInput(
            f'Banks were built from the parts of all test images of "{dataset}"; none is left to measure with.'
        )
    out = len(rows) - len(left)
    said = f"{count(out, 'test image is', 'test images are')} left out because a bank was built from the same parts."
    return left, said if out else ""


def accepted_by_id(accepted: Sequence[TrainingImage], wanted: Sequence[str] | None) -> list[TrainingImage]:
    """The accepted defects of these ids, in their order; None: all. Raises BadInput if one is gone."""
    if wanted is None:
        return list(accepted)
    there = {image.id: image for image in accepted}
    gone = [id for id in wanted if id not in there]
    if gone:
        raise BadInput(
            f"{len(gone)} of {count(len(wanted), 'synthetic defect')} of that measurement "
            f"{'is' if len(gone) == 1 else 'are'} no longer accepted; accept what is missing again in Curate, or start "
            "a new measurement."
        )
    return [there[id] for id in wanted]


def accepted(workspace: Workspace, dataset: str) -> int:
    """The number of accepted synthetic defects."""
    from exdd_core.workspace import candidates

    return candidates.count(workspace, dataset, status="accepted")
