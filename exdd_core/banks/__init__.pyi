from .bank_map import (
    BankMap as BankMap,
    map_bank as map_bank,
)
from .building import (
    build_bank as build_bank,
)
from .compare import (
    Comparison as Comparison,
)
from .detectors import (
    load_detector as load_detector,
)
from .histograms import (
    distances as distances,
)
from .options import (
    BuildOptions as BuildOptions,
)
from .training_images import (
    TrainingImages as TrainingImages,
)
from .update import (
    BankUpdate as BankUpdate,
)
