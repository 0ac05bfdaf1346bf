from .advice import (
    MANY_PARTS as MANY_PARTS,
    Advice as Advice,
    Trial as Trial,
    advise as advise,
)
from .effect import (
    Validation as Validation,
)
from .folds import (
    CrossValidation as CrossValidation,
    cross_validate as cross_validate,
)
from .measure import (
    Evaluation as Evaluation,
    evaluate_methods as evaluate_methods,
    evaluate_split as evaluate_split,
    measure_images as measure_images,
)
from .metrics import (
    FALSE_ALARM_RATE as FALSE_ALARM_RATE,
    METRICS as METRICS,
    Labelled as Labelled,
    aupro as aupro,
    best_f1 as best_f1,
    compute_metrics as compute_metrics,
    found_by_type as found_by_type,
    threshold_at as threshold_at,
)
from .outcome import (
    Outcome as Outcome,
)
from .resampling import (
    PIXEL_FIGURES as PIXEL_FIGURES,
    REPLICATES as REPLICATES,
    reliability as reliability,
    tally as tally,
)
from .test_images import (
    TestImages as TestImages,
    images_in_banks as images_in_banks,
    judgeable as judgeable,
    read_images as read_images,
    require_measurable as require_measurable,
    without_outside as without_outside,
)
