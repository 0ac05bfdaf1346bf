"""Who may do what: the role that each function of the pages and of the API asks for, all in one place.

Every function that a browser or a program can call is named here by its module and name; a test compares the table
with both. One that is missing is an admin's, so that nothing opens by being forgotten. Knows names. Does not know what
the functions do.
"""

from __future__ import annotations

from pages.guard.doors import Role

# Look at everything that is there and change nothing.
VIEWER = """
banks.builder: Builder._size_of Builder.choices
banks.comparison: Compared.connect.<locals>.compare Compared.connect.<locals>.follow
banks.map: histograms image news open_picture
banks.page: render.<locals>.changed render.<locals>.lists
banks.rows: Rows.connect.<locals>.blame Rows.connect.<locals>.change Rows.connect.<locals>.turn Rows.updates
banks.verdicts: Verdicts.connect.<locals>.look
banks.versions: Versions.state
curate.blind: blind_tests
curate.bulk: look
curate.candidate: ahead candidate effect history mask measures
curate.cards: queue
curate.likeness: likeness
curate.page: news open_page
data.gallery: Gallery.connect.<locals>.filtered
data.importer: Importer.connect.<locals>.<lambda> _fields_of_source Importer._step
data.page: render.<locals>.refresh
data.region: look Region.connect.<locals>.changed
evaluate.listing: listed open_page
evaluate.making: look
evaluate.measuring: work
evaluate.one_run: compare run
frame: look _footer.<locals>.<lambda>
inspect.image: inspect picture point
inspect.page: known open_list rows thumbnails
inspect.scoring: progress
inspect.threshold: threshold
job_panel: JobPanel.connect.<locals>.look
next_steps: next_steps
studio.masks: donors drawn like mask piece source sources words_for
studio.page: look open_page
studio.prompts: differences expand export_prompts scoreboard words
studio.eyes: seen
studio.results: candidate comparison ended news results
studio.teaching: teaching
exdd_core.api.application: description
exdd_core.api.candidates: candidates effect
exdd_core.api.images: images lists map_ neighbours regions results
exdd_core.api.making: job list_jobs
exdd_core.api.versions: blame threshold versions
"""
# Score, paint, decide and measure: whatever can be undone.
CURATOR = """
banks.comparison: Compared.connect.<locals>.measure
banks.verdicts: Verdicts.connect.<locals>.act
banks.map: cancel_map drop order_map put_back
curate.blind: answer_blind begin_blind delete_blind end_blind restore_blind
curate.likeness: compare_all stop_comparing
curate.bulk: bulk chosen recommend stop undo_all
curate.candidate: trim
curate.page: accept leave leave_reason name_type offer_reason reject rename_reason start_anew stay undo undo_last
evaluate.making: figure report stop
evaluate.measuring: again cancel start without
evaluate.one_run: use_threshold
frame: act
inspect.marking: alarm mark outline proposal truth undo undo_outline
inspect.page: add_files add_folder clear_list put_back
inspect.threshold: undo_threshold use_threshold
inspect.scoring: cancel export_all export_panes export_table score
job_panel: JobPanel._act
studio.masks: keep_mask
studio.page: cancel_job compare preview queue search stop warm
studio.prompts: delete_prompt import_prompts save_prompt undo_import
studio.results: delete keep restore
studio.teaching: teach use_adapter
exdd_core.api.candidates: accept reject
exdd_core.api.images: score score_list
exdd_core.api.making: cancel synthesize
exdd_core.api.marking: mark_false_alarm mark_missed undo
exdd_core.api.versions: choose_threshold undo_threshold
"""
# Bring in data sets and delete them, build versions and choose the active one, delete what others measured.
ADMIN = """
banks.builder: Builder.connect.<locals>.begin
banks.versions: Versions.connect.<locals>.act Versions.connect_bundle.<locals>.bring Versions.connect.<locals>.mend
data.gallery: Gallery.connect.<locals>.act
data.importer: Importer._answer Importer.connect.<locals>.begin Importer._left Importer._look Importer._look_again
data.manage: Manage.connect.<locals>.act Manage.connect.<locals>.change
data.page: DatasetList.connect.<locals>.act
data.region: propose remove save take undo
evaluate.one_run: delete rename restore
studio.teaching: drop_adapter rename_adapter
exdd_core.api.making: build
exdd_core.api.versions: activate
"""


def _read(table: str, role: Role) -> dict[str, Role]:
    rights: dict[str, Role] = {}
    for line in table.strip().splitlines():
        module, _, names = line.partition(": ")
        module = module if module.startswith("exdd_core.") else f"pages.{module}"
        rights.update({f"{module}.{name}": role for name in names.split()})
    return rights


RIGHTS = _read(VIEWER, "viewer") | _read(CURATOR, "curator") | _read(ADMIN, "admin")


def name_of(function: object) -> str:
    """The name of a function of a page, as the table has it; decorators keep it (functools.wraps)."""
    return f"{getattr(function, '__module__', '')}.{getattr(function, '__qualname__', '')}"


def role_of(function: object) -> Role:
    """The role that a function asks for."""
    return RIGHTS.get(name_of(function), "admin")
