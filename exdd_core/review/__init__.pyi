from .lists import (
    FOLDERS_KEPT as FOLDERS_KEPT,
    ImageList as ImageList,
    ShownImage as ShownImage,
)
from .marks import (
    Mark as Mark,
)
from .results import (
    Results as Results,
)
from .review import (
    Compared as Compared,
    MeasuredState as MeasuredState,
    Review as Review,
    score_change as score_change,
    truth_of as truth_of,
)
