"""A table of classes and parents becomes a tree, or says why it is none."""

import json

import pytest

from tsugiki.core.errors import RequestError
from tsugiki.core.events import Message, heard_by
from tsugiki.data.sources.tables.taxonomy_file import read_taxonomy, taxonomy_of
from tsugiki.data.taxonomy import Taxonomy, find_cycle, grow

ANIMALS = {"sparrow": "bird", "crow": "bird", "cat": "mammal", "bird": "animal", "mammal": "animal", "animal": ""}
CLASSES = ("cat", "crow", "sparrow")


def written(folder, text, name="taxonomy.csv"):
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


def test_a_tree_says_what_is_above_each_class():
    tree, said = grow(ANIMALS, CLASSES, source="it")
    assert said == ()
    assert tree.inner == ("animal", "bird", "mammal")
    assert tree.within.tolist() == [[True, True, True], [False, True, True], [True, False, False]]
    assert tree.path("crow") == ("animal", "bird", "crow")
    assert tree.above("crow") == ("bird", "animal")
    assert (tree.levels, tree.depth("animal"), tree.depth("crow")) == (3, 0, 2)
    assert Taxonomy.from_dict(CLASSES, json.loads(json.dumps(tree.to_dict()))) == tree


def test_every_kind_of_table_says_the_same(tmp_path):
    pa = pytest.importorskip("pyarrow")
    from pyarrow import parquet

    rows = [{"class": name, "parent": above} for name, above in ANIMALS.items()]
    lines = "".join(f"{row['class']};{row['parent']}\n" for row in rows)
    paths = [
        written(tmp_path, "\ufeffclass;parent\n" + lines),
        written(tmp_path, json.dumps(rows), "taxonomy.json"),
        written(tmp_path, "\n".join(map(json.dumps, rows)), "taxonomy.jsonl"),
        written(tmp_path, "親\tクラス\n" + "".join(f"{row['parent']}\t{row['class']}\n" for row in rows), "taxonomy.tsv"),
    ]
    parquet.write_table(pa.Table.from_pylist(rows), tmp_path / "taxonomy.parquet")
    for path in [*paths, tmp_path / "taxonomy.parquet"]:
        assert read_taxonomy(path) == ANIMALS, path.name


def test_names_are_read_as_class_folders_are(tmp_path):
    path = written(tmp_path, 'class,parent\n" cafe\u0301 ",drink\nmilk , drink\nmilk,drink\n')
    assert read_taxonomy(path) == {"café": "drink", "milk": "drink"}


def test_blanks_around_the_name_of_a_folder_do_not_matter():
    tree = taxonomy_of({"cat": "pet", "dog": " pet"}, ("cat ", " dog"))
    assert [tree.above(name) for name in tree.classes] == [("pet",), ("pet",)]


@pytest.mark.robust("tables", case="a taxonomy without rows for some classes, and with rows that no photo is of", right="named")
def test_what_does_not_fit_the_photos_is_named():
    said = []
    with heard_by(lambda event: said.append(event.text) if isinstance(event, Message) else None):
        tree = taxonomy_of({**ANIMALS, "whale": "mammal", "trout": "fish", "fish": "animal"}, (*CLASSES, "stone"))
    assert said == [
        "Classes that are not in the taxonomy, each a root of its own: stone.",
        "In the taxonomy, but no photo is of them, so they are left out: whale, trout, fish.",
    ]
    assert tree.path("stone") == ("stone",)
    assert set(tree.parents) == {*ANIMALS, "stone"}


def test_a_class_may_be_a_kind_of_its_own_beside_what_is_below_it():
    tree, _ = grow({"sparrow": "bird", "bird": "animal"}, ("bird", "sparrow"), source="it")
    assert tree.above("bird") == ("bird", "animal")
    assert tree.above("sparrow") == ("bird", "animal")


@pytest.mark.parametrize(
    ("rows", "what", "got"),
    [
        ("cat,pet\ncat,feline\n", "gives 'cat' two parents", "'pet' (row 2), 'feline' (row 3)"),
        ("cat,\ncat,feline\n", "gives 'cat' two parents", "'' (row 2), 'feline' (row 3)"),
        ("cat,pet\npet,animal\nanimal,cat\n", "above each other in a circle", "cat → pet → animal → cat"),
        ("cat,cat\n", "a name is its own parent: cat", ""),
        (",pet\n", "Row 2 of", "'pet'"),
    ],
)
def test_what_is_no_tree_is_refused(tmp_path, rows, what, got):
    with pytest.raises(RequestError) as refused:
        read_taxonomy(written(tmp_path, "class,parent\n" + rows))
    assert what in refused.value.what
    assert got in refused.value.got


@pytest.mark.parametrize(
    ("parents", "what", "got"),
    [
        ({"cat": "Pets", "crow": "pets"}, "look the same", "'Pets' = 'pets'"),
        ({"Cat": "pet", "crow": "pet"}, "look the same", "'Cat' = 'cat'"),
        ({"cat": "Crow", "crow": ""}, "look the same", "'crow' = 'Crow'"),
        ({"lion": "feline"}, "none of the classes a parent", "lion, feline"),
        ({"cat": "", "crow": ""}, "none of the classes a parent", "cat, crow"),
    ],
)
def test_names_that_a_person_cannot_tell_apart_or_that_fit_nothing_are_refused(parents, what, got):
    with pytest.raises(RequestError) as refused:
        taxonomy_of(parents, CLASSES)
    assert what in refused.value.what
    assert refused.value.got == got


def test_what_only_the_photos_say_is_no_fault_of_the_taxonomy():
    tree, said = grow({"a": "small", "A": "large", "B": "large", "b": "small"}, ("A", "a", "B"), source="it")
    assert tree.inner == ("small", "large")
    assert said == ("In it, but no photo is of them, so they are left out: b.",)  # B has a row of its own


def test_a_file_that_is_no_such_table_is_refused(tmp_path):
    for name, text, what in [
        ("missing.csv", None, "There is no file"),
        ("photo.txt", "class,parent\n", "no table of classes and their parents"),
        ("other.csv", "class,child\na,b\n", "has no column parent"),
    ]:
        if text is not None:
            written(tmp_path, text, name)
        with pytest.raises(RequestError, match=what):
            read_taxonomy(tmp_path / name)
    with pytest.raises(RequestError, match="something else"):
        taxonomy_of(["cat", "pet"], CLASSES)
    for at_least in (0.5, 1.2, float("nan")):
        with pytest.raises(RequestError, match="no parent can be named"):
            grow(ANIMALS, CLASSES, source="it", at_least=at_least)


def test_a_tree_that_a_damaged_file_describes_is_no_tree():
    for parents in (
        {"cat": "dog", "dog": "cat"},
        {"cat": "pet"},
        {"cat": "", "dog": ""},
        {"cat": "", "dog": "", "x": "y", "y": ""},
    ):
        with pytest.raises(ValueError, match="no tree"):
            Taxonomy(("cat", "dog"), parents)
    assert find_cycle({"a": "b", "b": "c", "c": "b"}) == ("b", "c")
