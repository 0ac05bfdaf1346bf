"""The pages, each a module or package with TITLE, PATH and render(workspace).

Knows Gradio. Does not compute: exdd_core does.
"""
