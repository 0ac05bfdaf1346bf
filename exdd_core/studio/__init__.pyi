from .batch import (
    NEXT_SEED as NEXT_SEED,
    run_batch as run_batch,
)
from .more_like import (
    Words as Words,
    more_like as more_like,
    words_for as words_for,
)
from .ordering import (
    arms as arms,
    axes_of as axes_of,
    default_engine as default_engine,
    donors as donors,
    engine as engine,
    files_of as files_of,
    grid as grid,
    recipes as recipes,
)
from .painting import (
    paint as paint,
    paint_one as paint_one,
    remake as remake,
)
