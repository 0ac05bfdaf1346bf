"""stub"""
from __future__ import annotations

import gradio as gr

from pages import _shared

TITLE = "Banks"
PATH = "/banks"
def render(workspace):
    _shared.heading(TITLE, "What it is for.")
    gr.HTML(_shared.empty("Nothing", "hint"))
