from .application import (
    PREFIX as PREFIX,
    create as create,
    endpoint_of as endpoint_of,
    endpoints as endpoints,
)
from .served import (
    Served as Served,
    require_known as require_known,
    what_is_wrong as what_is_wrong,
)
