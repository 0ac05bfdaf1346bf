from .application import (
    PREFIX as PREFIX,
    create as create,
    endpoint_of as endpoint_of,
    endpoints as endpoints,
)
