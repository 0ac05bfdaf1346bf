"""One module a page: each has TITLE, PATH and render(workspace). Gradio only: exdd_core computes."""
