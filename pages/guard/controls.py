"""The controls and keys that only some roles have: a page's head hides the controls that its visitor lacks, and names
the keys, which then reach no script of the page (assets/frame.js).

The page is told once, when it is opened. Nothing is protected by that: the guard refuses what a hidden control would
have asked (`rights`). Where a script makes a control without a class of its own, the attribute data-needs names its
role. Knows selectors, keys and roles. Does not know what the controls do.
"""

from __future__ import annotations

from pages.guard.doors import ROLES, Role
from pages.guard.roles import may

NEEDED: dict[Role, str] = {
    "viewer": "",
    # Inspect; Studio; Curate; Evaluate; Banks; what all pages share
    "curator": """
.vw-add .vw-clear .vw-export .vw-missed .vw-false .vw-score .vw-cancel .vw-wantsmask>button .vw-markline>button .vw-use
.vw-cutundo label:has(.vw-cutwho)
.st-preview .st-compare .st-queue .st-startsearch .st-stop .st-delete [data-save]
.cu-accept .cu-reject .cu-skip .cu-undo .cu-trim .cu-bulk .cu-blind .cu-compare .cu-typefield .cu-you
.ev-start .ev-again .ev-report .ms-use .ev-job>button
.lm-drop .lm-who .lm-make [data-act=measure]
.jobs-acts .jobs-clear .job-panel>button .job-panel_[data-act]
""",
    # Evaluate; Banks; Data
    "admin": """
.ev-delete .ev-rename .st-adapter_.st-rename #build #bundle #versions_[data-act] #due_[data-act]
#import #datasets_[data-act] #data-due_[data-act] #gallery_[data-act] #states_[data-act] #manage-keep #manage-actions
.rg-tools .rg-keep
""",
}
DRAWN = ".rg-stage"  # shown to everybody, and drawn on by an admin
KEYS: dict[str, dict[Role, str]] = {  # by the address of their page
    "/": {"curator": "m f d u"},
    "/studio": {"curator": "g ctrl+enter"},
    "/curate": {"curator": "a r s u t d"},
    "/data": {"admin": "r b e [ ]"},
}


def head(role: Role | None, path: str) -> str:
    """What a page's head tells of what a role lacks: a style and keys; "" where it lacks nothing. path: of the page."""
    lacking = [own for own in ROLES if not may(role, own)]
    selectors = [f"[data-needs={own}]" for own in lacking]
    selectors += [one.replace("_", " ") for own in lacking for one in NEEDED[own].split()]
    if not selectors:
        return ""
    style = f"{_all(selectors)} {{ display: none !important; }}"
    if "admin" in lacking:
        style += f" {_all([DRAWN])} {{ pointer-events: none; }}"
    keys = [key for own in lacking for key in KEYS.get(path, {}).get(own, "").split()]
    return f'<style>{style}</style><meta name="exdd-lacking-keys" content="{" ".join(keys)}">'


def _all(selectors: list[str]) -> str:
    return ", ".join(f".gradio-container {one}" for one in selectors)
