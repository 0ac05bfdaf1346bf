from .folds import (
    cross_validate as cross_validate,
)
from .measure import (
    evaluate_methods as evaluate_methods,
    evaluate_split as evaluate_split,
    measure_images as measure_images,
)
from .metrics import (
    FALSE_ALARM_RATE as FALSE_ALARM_RATE,
    METRICS as METRICS,
    aupro as aupro,
    best_f1 as best_f1,
    compute_metrics as compute_metrics,
    found_by_type as found_by_type,
    threshold_at as threshold_at,
)
from .test_images import (
    read_images as read_images,
    require_measurable as require_measurable,
    taught_by as taught_by,
    without_outside as without_outside,
)
