from .engine import (
    Engine as Engine,
    Painting as Painting,
)
from .engines import (
    ENGINES as ENGINES,
    default_engine as default_engine,
    engine_named as engine_named,
)
from .masks import (
    MaskSpec as MaskSpec,
)
from .orders import (
    Order as Order,
    Recipe as Recipe,
)
