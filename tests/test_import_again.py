"""What is imported a second time: what should go goes, what should stay stays, and nothing counts twice."""

import io
import threading
import time

import pytest
from PIL import Image

from fairsweep.errors import ImportDataError, StoreError
from fairsweep.imports import Source, bring
from fairsweep.store import Store
from fairsweep.store.compact import compact
from support.checks import ask, problems

GROUPS = {"gender": ("female", "male")}


def picture(red: int) -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", (8, 8), (red, 0, 0)).save(buffer, "PNG")
    return buffer.getvalue()


@pytest.fixture
def source(tmp_path) -> Source:
    folder = tmp_path / "pictures"
    folder.mkdir()
    for seed in range(3):
        (folder / f"{seed}.png").write_bytes(picture(seed))
    rows = "".join(f"{seed}.png,doctor,{seed}\n" for seed in range(3))
    (folder / "metadata.csv").write_text(f"file_name,prompt,seed\n{rows}")
    return Source(folder, "pictures", groups=GROUPS)


def label(store: Store, classifier: str) -> None:
    """Label what lacks a label, and two images that no import brought."""
    ids = [row[0] for row in ask(store.root, "select image_id from plan order by seed")] + ["other 1", "other 2"]
    with store.lock():
        for image_id in ids:
            store.write_labels(classifier, [{"image_id": image_id, "attribute": "gender", "label": "male"}])


@pytest.mark.parametrize("place", ["disk", "bucket"])
@pytest.mark.parametrize("state", ["fresh", "merged", "merged and made again"])
def test_images_replaced_under_another_classifier_lose_the_labels_of_the_first(place, state, bucket, tmp_path, source):
    store = Store(tmp_path / "store" if place == "disk" else bucket)
    bring(store, source, classifiers=["portraits"])
    label(store, "portraits")
    if state != "fresh":
        with store.lock():
            compact(store, lambda: None, grace=0)
    if state == "merged and made again":
        label(store, "portraits")
    bring(store, source, classifiers=["open_clip"], replace=True)
    others = [("other 1", "male"), ("other 2", "male")]
    query = "select image_id, label from labels order by all"
    assert ask(store.root, query) == others
    label(store, "open_clip")
    with store.lock():
        compact(store, lambda: None, grace=0)
    assert ask(store.root, f"{query[: query.index(' order')]} where classifier = 'portraits' order by all") == others
    assert ask(store.root, "select count(*) from labels where classifier = 'open_clip'") == [(5,)]
    assert not problems(store)


def test_images_of_which_one_is_replaced_are_there_once(tmp_path, source):
    store = Store(tmp_path / "store")
    bring(store, source, classifiers=["portraits"])
    before = ask(store.root, "select image_id, seed from plan order by seed")
    (source.path / "2.png").write_bytes(picture(200))
    bring(store, source, classifiers=["portraits"], replace=True)
    after = ask(store.root, "select image_id, seed from plan order by seed")
    assert after[:2] == before[:2] and after[2] != before[2]
    assert ask(store.root, "select count(*), count(distinct image_id) from plan join images using (image_id)") == [
        (3, 3)
    ]


def test_a_classifier_with_other_settings_is_refused_before_an_image_is_written(tmp_path, source):
    store = Store(tmp_path / "store")
    store.write_classifier("portraits", {"kind": "portraits", "name": "portraits", "batch": 3})
    with pytest.raises(StoreError, match=r"labels of classifier 'portraits' in .* were made with other settings"):
        bring(store, source, classifiers=["portraits"])
    assert ask(store.root, "select (select count(*) from images), (select count(*) from plan)") == [(0, 0)]


def test_a_reference_is_replaced_where_that_is_asked_for_alone(tmp_path):
    store, file = Store(tmp_path / "store"), tmp_path / "laion.csv"
    shares = 'select share from reference_shares order by "group"'
    file.write_text("prompt,female,male\ndoctor,30,70\n")
    bring(store, Source(file, "laion", groups=GROUPS), "reference")
    file.write_text("prompt,female,male\ndoctor,50,50\n")
    with pytest.raises(ImportDataError, match="the store already has a reference 'laion'"):
        bring(store, Source(file, "laion", groups=GROUPS), "reference")
    assert ask(store.root, shares) == [(0.3,), (0.7,)]
    counts = tmp_path / "counts.csv"
    counts.write_text("setting,prompt,female,male\nlaion,doctor,9,1\nmodel,doctor,1,9\n")
    with pytest.raises(ImportDataError, match="the store already has a reference 'laion'"):
        bring(store, Source(counts, "counts", groups=GROUPS), reference="laion")
    assert ask(store.root, "from plan") == []
    bring(store, Source(file, "laion", groups=GROUPS), "reference", replace=True)
    assert ask(store.root, shares) == [(0.5,), (0.5,)]


def test_imports_side_by_side_and_beside_a_compaction_are_all_there(tmp_path):
    """Each that another writer keeps out says so in one line, and comes in later; none that came in is lost."""
    store = Store(tmp_path / "store")

    def insist(act) -> None:
        while True:
            try:
                return act()
            except StoreError as error:
                assert str(error).startswith("another run is writing to ")
                time.sleep(0.01)

    def merge() -> None:
        with store.lock():
            compact(store, lambda: None, grace=0)

    def importer(name: str) -> None:
        for number in range(3):
            file = tmp_path / f"{name} {number}.csv"
            file.write_text(f"prompt,image,gender\nnurse,{name} 1,female\nnurse,{name} 2,male\n")
            insist(lambda file=file: bring(store, Source(file, file.stem, groups=GROUPS)))
            insist(merge)

    threads = [threading.Thread(target=importer, args=(name,)) for name in "abc"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    counts = ask(store.root, "select sweep, count(*) from plan join labels using (image_id) group by all order by all")
    assert counts == [(f"{name} {number}", 2) for name in "abc" for number in range(3)]
    assert not problems(store)
