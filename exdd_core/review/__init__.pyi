from .comparing import (
    ComparedImage as ComparedImage,
    score_change as score_change,
    truth_of as truth_of,
)
from .lists import (
    FOLDERS_KEPT as FOLDERS_KEPT,
    ImageList as ImageList,
    ShownImage as ShownImage,
)
from .marks import (
    Mark as Mark,
)
from .pointing import (
    Pointed as Pointed,
    at_pixel as at_pixel,
)
from .regions import (
    ImageRegions as ImageRegions,
    RegionRow as RegionRow,
    region_rows as region_rows,
    scaled as scaled,
    write_coco as write_coco,
)
from .results import (
    Results as Results,
    StoredRow as StoredRow,
)
from .review import (
    Review as Review,
)
from .sheet import (
    panes as panes,
    write_panes as write_panes,
)
from .states import (
    BankState as BankState,
)
from .table import (
    COLUMNS as COLUMNS,
    ResultRow as ResultRow,
    csv_text as csv_text,
    finite as finite,
    result_row as result_row,
    write_csv as write_csv,
)
from .thresholds import (
    Found as Found,
    Wanted as Wanted,
)
