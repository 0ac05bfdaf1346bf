from .failures import (
    sentence_of as sentence_of,
)
from .placing import (
    MARK as MARK,
    TEMPORARY as TEMPORARY,
)
from .rows import (
    BankVersion as BankVersion,
    DatasetInfo as DatasetInfo,
    DatasetPreview as DatasetPreview,
    ImageRow as ImageRow,
)
from .store import (
    Workspace as Workspace,
)
from .versions import (
    FORMER as FORMER,
)
