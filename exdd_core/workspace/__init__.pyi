from .failures import (
    plain_sentence as plain_sentence,
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
