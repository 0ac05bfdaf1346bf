from .archive import (
    unpack as unpack,
)
from .choices import (
    Choices as Choices,
)
from .groups import (
    GroupRule as GroupRule,
    folds as folds,
    grouped_split as grouped_split,
    limit_parts as limit_parts,
)
from .integrity import (
    check as check,
)
from .layouts import (
    LAYOUTS as LAYOUTS,
    detect_layout as detect_layout,
    find_root as find_root,
    look as look,
    no_images as no_images,
    read_layout as read_layout,
    require_normal as require_normal,
)
from .left_out import (
    LeftOut as LeftOut,
)
from .manifests import (
    read_manifests as read_manifests,
    write_manifests as write_manifests,
)
from .record import (
    DEFECT as DEFECT,
    NORMAL as NORMAL,
    ROLES as ROLES,
    Question as Question,
    Record as Record,
    natural_key as natural_key,
)
from .survey import (
    Survey as Survey,
)
from .tree import (
    Tree as Tree,
    image_files as image_files,
)
