from .evaluation import (
    evaluate as evaluate,
)
from .figures import (
    disagreements as disagreements,
    figure_two as figure_two,
    write_figure as write_figure,
)
from .names import (
    COUNTS as COUNTS,
    METRIC_TITLES as METRIC_TITLES,
    NO_MASKS as NO_MASKS,
    PAPER as PAPER,
    PAPER_DATASET as PAPER_DATASET,
    TITLES as TITLES,
    short_title as short_title,
    title as title,
    titled as titled,
    without_masks as without_masks,
)
from .report import (
    shown as shown,
    write_html as write_html,
)
from .run_differences import (
    Difference as Difference,
    changed_verdicts as changed_verdicts,
    changes_of as changes_of,
    differences as differences,
    other_images as other_images,
)
from .specs import (
    EvaluateSpec as EvaluateSpec,
    SweepSpec as SweepSpec,
    TableOneSpec as TableOneSpec,
)
from .sweeping import (
    require_accepted as require_accepted,
    sweep as sweep,
)
from .tables import (
    table_one as table_one,
)
from .unseen import (
    unseen_images as unseen_images,
)
