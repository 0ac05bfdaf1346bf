"""The controls that only some roles have, by CSS selector: a page's head hides those that its visitor lacks.

The page is told once, when it is opened. Nothing is protected by that: the guard refuses what a hidden control would
have asked (`rights`). Where a script makes a control without a class of its own, the attribute data-needs names its
role. Knows selectors and roles. Does not know what the controls do.
"""

from __future__ import annotations

from pages.guard.doors import ROLES, Role
from pages.guard.roles import may

NEEDED: dict[Role, str] = {
    "viewer": "",
    # Inspect; Studio; Curate; Evaluate; Banks; what all pages share
    "curator": """
.vw-add .vw-export .vw-missed .vw-false .vw-score .vw-cancel .vw-wantsmask>button .vw-markline>button .vw-use
.vw-cutundo
.st-preview .st-compare .st-queue .st-stop .st-delete [data-save]
.cu-accept .cu-reject .cu-skip .cu-undo .cu-trim .cu-bulk
.ev-start .ev-again .ev-report .ms-use .ev-job>button
.lm-drop .lm-make [data-act=measure]
.jobs-acts .jobs-clear .job-panel>button .job-panel_[data-act]
""",
    # Evaluate; Banks; Data
    "admin": """
.ev-delete #build #versions_[data-act] #due_[data-act]
#import #datasets_[data-act] #data-due_[data-act] #gallery_[data-act] #states_[data-act] #manage-keep #manage-actions
.rg_.main-button
""",
}


def style(role: Role | None) -> str:
    """A style for a page's head that hides what a role lacks; "" for one that lacks nothing."""
    lacking = [own for own in ROLES if not may(role, own)]
    selectors = [f"[data-needs={own}]" for own in lacking]
    selectors += [one.replace("_", " ") for own in lacking for one in NEEDED[own].split()]
    if not selectors:
        return ""
    whole = ", ".join(f".gradio-container {one}" for one in selectors)
    return f"<style>{whole} {{ display: none !important; }}</style>"
