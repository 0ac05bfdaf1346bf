from .needing import needing as needing
from .running import (
    measure_newest as measure_newest,
    measuring as measuring,
    resume as resume,
    run_here as run_here,
    run_next as run_next,
    submit as submit,
)
from .table import (
    Job as Job,
    State as State,
    cancel as cancel,
    clear_ended as clear_ended,
    coming as coming,
    get as get,
    listed as listed,
    move as move,
)
from .worker import Worker as Worker, start_worker as start_worker
