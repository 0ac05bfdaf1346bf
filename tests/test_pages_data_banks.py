"""The frame, the Data page and the Banks page in a real browser; an empty workspace is served by the real program."""

from __future__ import annotations

import re
import shutil
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlparse

import pytest

from exdd_core.workspace import Workspace
from tests.browser import (
    MOVED,
    SLOW,
    STILL,
    TELLING,
    labelled,
    look_at,
    program,
    sentence,
    serving,
    shoot,
    styled,
    until,
    visit,
)

if TYPE_CHECKING:
    from playwright.sync_api import Page, Route

# Where the row of the demo's own version begins and ends, which another one replaces.
FORMER = """['top', 'bottom'].map((edge) =>
  Math.round(document.querySelector('#versions tr:has([title="Show v1"])').getBoundingClientRect()[edge])).join()"""


def import_from(page: Page, source: Path, number: int) -> None:
    look_at(page, source)
    page.get_by_role("button", name=f"Import {number} images").click()


@pytest.fixture(scope="module")
def folder(demo_dataset: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Plain folders: 8 normal images and 4 defective ones with masks, two files a part."""
    from exdd_core.datasets import read_layout

    _, records = read_layout(demo_dataset)
    target = tmp_path_factory.mktemp("plain") / "brackets"
    for sub in ("good", "defect", "masks"):
        (target / sub).mkdir(parents=True)
    for i, record in enumerate([r for r in records if r.label == "normal"][:8]):
        shutil.copy(demo_dataset / record.path, target / "good" / f"part{i // 2}_shot{i % 2}.png")
    for i, record in enumerate([r for r in records if r.mask][:4]):
        name = f"part{10 + i // 2}_shot{i % 2}.png"
        shutil.copy(demo_dataset / record.path, target / "defect" / name)
        shutil.copy(demo_dataset / str(record.mask), target / "masks" / name)
    return target


@pytest.fixture(scope="module")
def address(demo_workspace: Workspace, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The app on a copy of the demo workspace: 24 images, one bank version."""
    copy = tmp_path_factory.mktemp("pages") / "workspace"
    shutil.copytree(demo_workspace.path, copy)
    with serving(Workspace.open(copy)) as address:
        yield address.rstrip("/")


# --- the program ------------------------------------------------------------------------------------------


def test_a_port_in_use_is_one_sentence_and_exit_2(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    import app

    monkeypatch.setattr("app.logs.begin", lambda asks: None)
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        words = ["--workspace", str(tmp_path / "workspace"), "--port", str(taken.getsockname()[1])]
        assert app.main(words) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert re.fullmatch(r"127\.0\.0\.1:\d+ cannot be used .*--port\.\n", err)


def test_an_empty_workspace_is_made_and_says_what_to_do(page: Page, folder: Path, tmp_path: Path) -> None:
    with program(tmp_path / "new") as address:
        assert Workspace.exists(tmp_path / "new")
        visit(page, f"{address}/data")
        assert page.locator(".empty-title").inner_text() == "No data sets yet"
        page.get_by_role("button", name="Create demo images").wait_for()
        page.locator(
            ".frame-state", has_text=re.compile("no data set yet.*no bank yet", re.DOTALL)
        ).wait_for()
        shoot(page, "data-empty")
        visit(page, f"{address}/banks")
        page.get_by_role("link", name="Import images in Data").click()
        page.wait_for_url("**/data")

        look_at(page, tmp_path / "nowhere")
        assert str(tmp_path / "nowhere") in sentence(page, "does not exist").inner_text()
        look_at(page, "")
        sentence(page, "enter the path of the folder")

        import_from(page, folder, 12)
        sentence(page, "Imported 12 images as brackets.")
        page.locator(".frame-state", has_text="brackets").wait_for()
        visit(page, f"{address}/banks")
        page.locator(".empty-title", has_text="No bank version yet").wait_for()
        page.goto("about:blank")  # what it asks a server that ends would be refused


# --- Data -------------------------------------------------------------------------------------------------


def test_what_is_next_is_dismissed_a_kind_at_a_time(address: str, page: Page) -> None:
    """And remembered in the browser; the strip keeps its height, and what is hidden can be shown again.

    It stands first in the file, while the workspace is fresh and has first steps.
    """
    visit(page, f"{address}/data")
    strip, do, later = page.locator(".next"), page.locator(".next-do"), page.locator(".next-later")
    later.wait_for()
    height, first = strip.bounding_box(), do.get_attribute("href")
    place = later.bounding_box()
    while later.is_visible():
        assert later.bounding_box() == place  # whatever the step says, so that nothing else is pressed
        later.click()
    strip.get_by_text("Nothing is waiting for you.").wait_for()
    visit(page, f"{address}/banks")
    strip.get_by_role("button", name="Show hidden").click()
    assert do.get_attribute("href") == first and strip.bounding_box() == height


def test_import_shows_the_split_before_it_is_made(address: str, page: Page, folder: Path) -> None:
    visit(page, f"{address}/data")
    look_at(page, folder)
    preview = page.locator("#import-preview")
    preview.get_by_text("12 images").first.wait_for()
    assert "Plain folders" in preview.inner_text()
    training, test = preview.locator("tbody tr").all_inner_texts()
    assert [int(n) for n in training.split()[1:]] == [6, 2, 8]  # normal, defect, parts: one an image
    assert [int(n) for n in test.split()[1:]] == [2, 2, 4]

    labelled(page, "Which images show the same physical part?").click()
    page.get_by_role("option", name="A pattern in the file name").click()
    rule = labelled(page, "Pattern")
    rule.fill("part\\d+")
    rule.press("Enter")
    sentence(page, "put the part's name in parentheses")
    rule.fill("(part\\d+)_")
    rule.press("Enter")
    preview.locator("tbody tr", has_text=re.compile(r"Training\s*6\s*2\s*4")).wait_for()

    labelled(page, "Name").fill("by part")
    page.get_by_role("button", name="Import 12 images").click()
    sentence(page, "is not a valid name for a data set")
    assert preview.locator("tbody tr").count() == 2 and labelled(page, "Name").input_value() == "by part"
    assert page.locator(".jobs-entry", has_text="by part").count() == 0  # nothing to try again


def test_importing_twice_changes_nothing(address: str, page: Page, folder: Path) -> None:
    visit(page, f"{address}/data")
    import_from(page, folder, 12)
    sentence(page, "Imported 12 images as brackets.")
    row = page.locator("#datasets tr.selected", has_text="brackets")
    row.get_by_text("active").wait_for(timeout=SLOW)
    assert "6 · 2" in row.inner_text()
    shoot(page, "data-imported")
    import_from(page, folder, 12)
    sentence(page, "nothing changed")
    page.get_by_role("button", name="Open demo").click()
    page.locator("#datasets tr.selected", has_text="demo").wait_for()


def test_a_zip_can_be_uploaded(address: str, page: Page, folder: Path, tmp_path: Path) -> None:
    packed = Path(shutil.make_archive(str(tmp_path / "packed"), "zip", folder))
    visit(page, f"{address}/data")
    page.get_by_label("A zip file to upload").check()
    page.locator("#import-file input[type=file]").set_input_files(packed)
    page.locator("#import-file", has_text="packed").wait_for()
    page.get_by_role("button", name="Preview").click()
    page.get_by_role("button", name="Import 12 images").click()
    sentence(page, "Imported 12 images as packed.")
    page.get_by_role("button", name="Open demo").click()
    page.locator("#datasets tr.selected", has_text="demo").wait_for()


# Addresses of pictures that are held back; and what is seen of images whose picture is on its way: the former one.
NORMAL = re.compile("thumbnail.*good")
FORMER_PICTURES = """(images) => images.filter((one) => !one.complete &&
  one.checkVisibility({ visibilityProperty: true })).map((one) => one.alt)"""


def test_the_gallery_filters_and_counts(address: str, page: Page) -> None:
    held: list[Route] = []
    page.route(NORMAL, lambda route: held.append(route))
    visit(page, f"{address}/data")
    head = page.locator("#gallery .list-head")
    head.get_by_text("24 images", exact=True).wait_for()
    page.locator(".thumb img").first.evaluate("image => image.decode()")
    # No picture is seen under the name of another one, which is on its way.
    page.get_by_label("Normal", exact=True).check()
    head.get_by_text("15 of 24 images", exact=True).wait_for()
    assert page.locator(".thumb img").evaluate_all(FORMER_PICTURES) == []
    for route in held:
        route.continue_()
    page.unroute(NORMAL)
    page.wait_for_function(
        "() => document.querySelector('.thumb img').checkVisibility({ visibilityProperty: true })"
    )
    page.get_by_label("Defect", exact=True).check()
    head.get_by_text("9 of 24 images", exact=True).wait_for()
    page.get_by_label("Training", exact=True).check()
    page.wait_for_function("() => document.querySelectorAll('.thumb').length < 9")
    shown = page.locator(".thumb")
    assert head.inner_text() == f"{shown.count()} of 24 images"
    assert all("train" in label for label in page.locator(".thumb-label").all_inner_texts())
    shown.first.locator("img").evaluate("image => image.decode()")  # rejects where it cannot be shown
    picture = page.request.get(shown.first.locator("img").evaluate("image => image.src")).text()
    assert picture.count("<path") == 2  # the mask's outline, dark under bright
    labelled(page, "Defect type").click()
    page.get_by_role("option").nth(1).click()
    page.wait_for_function(
        "() => new Set([...document.querySelectorAll('.thumb-label')].map(l => l.innerText)).size == 1"
    )
    found, type_of = head.inner_text(), labelled(page, "Defect type").input_value()
    page.reload()  # and they outlive it
    head.get_by_text(found, exact=True).wait_for(timeout=SLOW)
    assert page.get_by_label("Training", exact=True).is_checked()
    assert labelled(page, "Defect type").input_value() == type_of
    assert page.locator("#report").get_by_text("Integrity of demo").count() == 1
    shoot(page, "data-gallery")
    shown.first.click()
    page.wait_for_url(re.compile(r"/\?image=demo"))
    # One stop of the Tab key: arrows lead on, Space ticks, Enter opens.
    page.go_back()
    head.get_by_text(found, exact=True).wait_for(timeout=SLOW)
    page.locator(".tick-all").focus()
    page.keyboard.press("Tab")
    page.keyboard.press("End")
    page.keyboard.press("Space")
    page.get_by_text("1 ticked").wait_for()
    stops = ".gallery :is(a, input):not([tabindex='-1'])"
    assert page.locator(stops).count() == page.locator(f"{stops}:checked").count() == 1
    page.keyboard.press("Enter")
    page.wait_for_url(re.compile(r"/\?image=demo"))
    page.go_back()
    head.get_by_text(found, exact=True).wait_for(timeout=SLOW)
    # Where the server does not answer, the images are not shown as those of the filters that were chosen.
    page.route("**/queue/join**", lambda route: route.abort())
    page.get_by_label("Test", exact=True).check()
    page.locator("#gallery.other-images, #gallery .other-images").wait_for()
    styled(page.locator("#gallery [data-of]"), "opacity", "0.35")
    shoot(page, "data-gallery-former")


def test_a_thumbnail_of_nothing_is_a_sentence(address: str, page: Page) -> None:
    answer = page.request.get(f"{address}/thumbnail?image=demo/nothing.png")
    assert answer.status == 404
    assert answer.text() == 'There is no image "demo/nothing.png" in this workspace.'


# --- Banks ------------------------------------------------------------------------------------------------


def test_build_activate_and_delete(address: str, page: Page) -> None:
    """Nothing moves while the build, and then the measurement of what it has made, go on and end."""
    page.add_init_script(MOVED + "localStorage.setItem('exdd.who', 'Anna')")
    visit(page, f"{address}/banks")
    versions = page.locator("#versions tbody tr")
    versions.first.wait_for()
    assert versions.count() == 1
    page.locator("#rows .row-bars li").first.wait_for(timeout=SLOW)
    list_of, picture = (page.locator(name).bounding_box() for name in ("#versions .wide", ".lm-picture"))
    assert list_of and picture
    assert picture["y"] - list_of["y"] - list_of["height"] < 32  # and no room is kept for more versions

    other = page.context.new_page()  # where nobody presses anything
    other.add_init_script(MOVED)
    visit(other, f"{address}/banks")
    other.locator("#rows .row-bars li").first.wait_for(timeout=SLOW)
    other.locator("#due p").wait_for(timeout=SLOW)
    before = other.evaluate(FORMER)
    other.evaluate(STILL)

    page.get_by_label("None: normal images only, as PatchCore").check()
    page.get_by_role("button", name="More settings").click()
    labelled(page, "Size").fill("448x448")  # long enough to be seen
    page.get_by_role("button", name="Build", exact=True).click()
    page.locator(".job .bar").wait_for()
    page.locator(".frame-job").wait_for()
    versions.first.get_by_text("Building a bank version from demo…", exact=True).wait_for(timeout=SLOW)
    assert versions.count() == 2
    shoot(page, "banks-building")
    page.reload()  # a reloaded page shows the build that goes on
    page.wait_for_selector(".job, .note.done", timeout=SLOW)
    versions.first.wait_for()
    page.get_by_role("button", name="More settings").click()
    labelled(page, "Size").fill("320x320")  # for the next one, while this one ends
    page.evaluate(STILL)  # the settings that were opened have moved what is below them
    sentence(page, "Built v2 in")
    link = page.locator(".note.done").get_by_role("link", name="Open in Inspect").first
    styled(link, "text-decoration-line", "underline")  # no plain text
    page.locator("#versions tr.selected", has_text="v2").wait_for()
    built_by = page.locator("#versions td:nth-child(2) .under")
    assert built_by.all_inner_texts() == ["Anna"]  # nobody in particular built the demo's
    page.locator(".frame-state", has_text="v2 · demo").wait_for()
    page.locator("#rows", has_text="Rows of v2 by image").wait_for()
    assert labelled(page, "Size").input_value() == "320x320"
    shoot(page, "banks-built")
    # Its AUROC fills itself in.
    measured = page.locator("#versions tr", has_text="v2").locator(
        "td", has_text=re.compile(r"^[01]\.\d{3}$")
    )
    measured.wait_for(timeout=SLOW)
    page.locator("#compared .note.done").wait_for(timeout=SLOW)
    assert page.evaluate("window.moved") < 0.01, "\n".join(page.evaluate("window.movers"))
    new = other.get_by_role("button", name="Show what is new")
    new.wait_for(timeout=SLOW)
    other.wait_for_function(f"{FORMER} === '{before}'")
    other.locator(".frame-chips", has_text="v2 · demo").wait_for(timeout=SLOW)
    assert other.locator(".frame-elsewhere").is_hidden()  # the list, the picture and the header say so
    shoot(other, "banks-held")
    new.click()
    assert other.evaluate("window.moved") < 0.01, "\n".join(other.evaluate("window.movers"))
    assert other.locator("#versions tbody tr").first.inner_text().startswith("v2")
    other.close()

    page.get_by_role("button", name="Delete v1").click()
    asked = page.get_by_role("alertdialog")
    assert re.search(r"Delete v1\? Its [\d,]+ normal and [\d,]+ defect rows", asked.inner_text())
    asked.get_by_role("button", name="Cancel").click()
    asked.wait_for(state="hidden")

    page.get_by_role("button", name="Rename v2").click()
    field = page.get_by_label("Display name of v2")
    field.fill("v7")
    page.get_by_role("button", name="Save").click()
    sentence(page, '"v7" could be the number of another version')
    assert field.input_value() == "v7"
    field.fill("n" * 63)
    field.press("Enter")
    name = page.locator("#versions strong", has_text="v2 " + "n" * 63)
    name.wait_for()
    # It breaks within its column, and the table keeps its width.
    assert name.evaluate(
        "(name) => name.getBoundingClientRect().right <= name.closest('td').getBoundingClientRect().right"
    )
    assert page.locator("#versions .wide").evaluate("(list) => list.scrollWidth <= list.clientWidth")
    shoot(page, "banks-renamed")
    page.get_by_role("button", name="Activate v1").click()
    page.locator("#versions tr.selected", has_text="v1").wait_for()
    page.locator("#rows", has_text="Rows of v1 by image").wait_for()
    page.get_by_role("button", name="Delete v2").click()
    confirm = page.get_by_role("alertdialog").get_by_role("button", name="Delete v2")
    box = confirm.bounding_box()
    assert box
    confirm.click()
    versions.filter(has_text="v2 was deleted.").wait_for(timeout=SLOW)
    # Where the pointer is now there is nothing to press: a second click rolls nothing back.
    page.mouse.click(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    page.locator("#versions tr.selected", has_text="v1").wait_for()
    assert (
        versions.count() == 2 and page.locator("#versions .list-head", has_text="1 bank version").count() == 1
    )


def test_a_build_can_be_cancelled(address: str, page: Page) -> None:
    visit(page, f"{address}/banks")
    before = page.locator("#versions tbody tr")
    before.first.wait_for()
    number = before.count()
    page.get_by_role("button", name="More settings").click()
    labelled(page, "Size").fill("1024x1024")  # long enough to be cancelled
    page.evaluate(TELLING, [".heading-job .job", ".frame-told", ".jobs-active .jobs-text"])
    page.get_by_role("button", name="Build", exact=True).click()
    page.wait_for_function("() => new Set(window.told.map((counts) => counts[0])).size > 3", timeout=SLOW)
    told = page.evaluate("window.told")  # the page, the header and its list of jobs tell the same
    assert all(len({one for one in counts if one}) <= 1 for counts in told), told
    box = page.locator(".heading-job .job").bounding_box()
    assert box and box["y"] + box["height"] < 900  # in sight, as the button is
    page.get_by_role("button", name="Cancel").click()
    sentence(page, "cancelled, and nothing was changed")
    assert before.count() == number


@pytest.mark.parametrize(
    ("label", "value", "words"),
    [
        ("Defective parts", "many", '"many" is not a valid number of defective parts'),
        ("Size", "big", "width x height"),
        ("Negative share kept", "0", "above 0 and at most 100 %"),
    ],
)
def test_wrong_settings_are_a_sentence(address: str, page: Page, label: str, value: str, words: str) -> None:
    visit(page, f"{address}/banks")
    versions = page.locator("#versions tbody tr")
    versions.first.wait_for()
    before = versions.all_inner_texts()
    page.get_by_role("button", name="More settings").click()
    labelled(page, label).fill(value)
    page.get_by_role("button", name="Build", exact=True).click()
    said = sentence(page, words)
    until(page, lambda: said.evaluate("(note) => note.getBoundingClientRect().bottom <= innerHeight"))
    assert page.locator(".job").count() == 0
    until(page, lambda: versions.all_inner_texts() == before)  # no row says that a build has begun


# --- the frame --------------------------------------------------------------------------------------------


def test_every_page_is_in_the_frame(address: str, page: Page) -> None:
    for title, path in (("Inspect", "/"), ("Data", "/data"), ("Banks", "/banks")):
        visit(page, f"{address}{path}")
        assert page.locator(".frame-header nav [aria-current]").inner_text() == title
        page.locator(".frame-state", has_text="demo").wait_for()
        footer = page.locator(".frame-footer").inner_text()
        assert all(word in footer for word in ("Device", "Backbone", "faiss", "SDXL", "Disk", "Versions"))
        assert page.title() == "ExDD Workbench"
        assert "Gradio" not in page.locator("body").inner_text().replace("gradio 6", "")
        page.keyboard.press("Tab")
        assert page.evaluate("document.activeElement.innerText") == "Skip to the page"
        page.keyboard.press("Enter")
        page.keyboard.press("Tab")
        assert page.evaluate("Boolean(document.activeElement.closest('#content'))")
        assert urlparse(page.url).path == path
    page.evaluate(
        "document.querySelector('.page').innerHTML = '<p id=cut style=\"width: 64px; overflow: hidden; "
        "white-space: nowrap; text-overflow: ellipsis\">a name that is too long</p>'"
    )
    page.hover("#cut")  # what is cut off is whole in a hint
    assert page.get_attribute("#cut", "title") == "a name that is too long"


def test_the_theme_is_switched_and_remembered(address: str, page: Page) -> None:
    def colour() -> str:
        return str(page.evaluate("getComputedStyle(document.querySelector('.frame-header')).backgroundColor"))

    visit(page, f"{address}/data")
    light = colour()
    page.get_by_role("button", name="Switch between light and dark").click()
    dark = colour()
    assert dark != light
    shoot(page, "data-dark")
    visit(page, f"{address}/banks")
    assert colour() == dark
    shoot(page, "banks-dark")
    page.get_by_role("button", name="Switch between light and dark").click()
    assert colour() == light


def test_nothing_moves_while_a_page_loads(address: str, page: Page) -> None:
    """Sum of layout shifts, from 0 to 1: in the order in which Gradio loads parts, 0.10 (Data) to 0.36 (Banks)."""
    page.set_viewport_size({"width": 1280, "height": 720})  # where a pixel counts more
    page.add_init_script(MOVED)
    last = {"/": ".vw-settled", "/studio": ".st-ready", "/curate": ".curate", "/evaluate": ".evaluate"}
    last |= {"/data": "#datasets tbody", "/banks": "#due p"}
    moved = {}
    for path, selector in last.items():
        visit(page, address + path)
        page.locator(selector).first.wait_for(timeout=SLOW)
        page.wait_for_timeout(1000)
        moved[path] = page.evaluate("window.moved")
        assert page.locator(".next-said").is_visible()
    assert max(moved.values()) < 0.01, moved


def test_tables_sort_by_a_click(address: str, page: Page, folder: Path) -> None:
    visit(page, f"{address}/data")
    import_from(page, folder, 12)
    sentence(page, "brackets")
    names = page.locator("#datasets tbody strong")
    page.get_by_role("button", name="Images", exact=True).click()
    assert names.all_inner_texts()[0] == "demo"  # 24 images, the most
    page.get_by_role("button", name="Images", exact=True).click()
    assert names.all_inner_texts()[-1] == "demo"
