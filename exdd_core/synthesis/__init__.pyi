from .engine import (
    Engine as Engine,
)
from .engines import (
    ENGINES as ENGINES,
    default_engine as default_engine,
    engine_named as engine_named,
)
from .mask_spec import (
    MaskSpec as MaskSpec,
)
from .orders import (
    Order as Order,
    Recipe as Recipe,
)
from .request import (
    Painting as Painting,
)
