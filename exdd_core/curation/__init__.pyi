from .changing import (
    Decided as Decided,
)
from .deciding import (
    REASONS as REASONS,
    accept as accept,
    own_reasons as own_reasons,
    reject as reject,
    rename_reason as rename_reason,
    set_type as set_type,
    trim as trim,
    undo as undo,
    undo_last as undo_last,
)
from .marking import (
    alarming as alarming,
    align as align,
    check_missed as check_missed,
    drop as drop,
    mark_false_alarm as mark_false_alarm,
    mark_missed as mark_missed,
)
