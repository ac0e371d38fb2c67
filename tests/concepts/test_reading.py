from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hiersearch.concepts import Vocabulary, read_vocabulary
from hiersearch.concepts.formats import MAX_BYTES, MAX_LINE, parse_vocabulary
from hiersearch.errors import VocabularyError


def links(vocabulary: Vocabulary) -> dict[str, tuple[str, ...]]:
    return {concept.id: concept.parents for concept in vocabulary}


def parse(text: str, name: str = "words.txt") -> Vocabulary:
    return parse_vocabulary(text.encode(), name=name)


def test_one_per_line():
    vocabulary = parse("dog\nA  red\tbicycle \n# a comment\nÄpfel, grün")
    assert vocabulary.names == ["dog", "A red bicycle", "Äpfel, grün"]
    assert [concept.id for concept in vocabulary] == ["dog", "a red bicycle", "äpfel, grün"]
    assert not vocabulary.has_parents
    assert vocabulary.name == "words.txt"


def test_paths():
    vocabulary = parse(
        "fruit > apple > Granny Smith\nfruit>pear\nvegetable > tomato\nFruit > tomato\nrock"
    )
    assert links(vocabulary) == {
        "fruit": (),
        "apple": ("fruit",),
        "granny smith": ("apple",),
        "pear": ("fruit",),
        "vegetable": (),
        "tomato": ("vegetable", "fruit"),
        "rock": (),
    }
    assert vocabulary["granny smith"].name == "Granny Smith"


CSV = 'concept,parent\ntomato,vegetable\ntomato,fruit\nfruit,\n"salt, pepper",spice\n'
CSV_LINKS = {
    "tomato": ("vegetable", "fruit"),
    "vegetable": (),
    "fruit": (),
    "salt, pepper": ("spice",),
    "spice": (),
}


@pytest.mark.parametrize("name", ["a.csv", "a.txt", "A.CSV", "a"])
def test_csv(name):
    assert links(parse(CSV, name)) == CSV_LINKS


def test_csv_without_a_header_and_with_one_column():
    assert links(parse("dog,animal\ncat , animal\nstone", "a.csv")) == {
        "dog": ("animal",),
        "animal": (),
        "cat": ("animal",),
        "stone": (),
    }


@pytest.mark.parametrize("name", ["a.json", "a.txt"])
def test_json_forms(name):
    assert links(parse('["dog", "Cat"]', name)) == {"dog": (), "cat": ()}
    objects = [
        {
            "name": "Tomato",
            "id": "t1",
            "parents": ["fruit", "Vegetable"],
            "familiarity": 3,
            "synonyms": ["love  apple", "tomate"],
        },
        {"name": "fruit"},
        {"name": "vegetable", "id": "v", "parents": []},
    ]
    for form in (objects, {"concepts": objects}):
        vocabulary = parse(json.dumps(form), name)
        assert links(vocabulary) == {"t1": ("fruit", "v"), "fruit": (), "v": ()}
        assert vocabulary["t1"].familiarity == 3.0
        assert vocabulary["t1"].synonyms == ("love apple", "tomate")
        assert vocabulary["t1"].name == "Tomato"
    mapping = {"Tomato": ["fruit", "vegetable"], "fruit": "food", "rock": None}
    assert links(parse(json.dumps(mapping), name)) == {
        "tomato": ("fruit", "vegetable"),
        "fruit": ("food",),
        "vegetable": (),
        "food": (),
        "rock": (),
    }


def test_json_reads_what_a_vocabulary_writes():
    vocabulary = parse(CSV, "a.csv")
    assert parse(vocabulary.to_json(), "a.json") == vocabulary


@pytest.mark.parametrize("newline", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("mark", ["", "\ufeff"])
def test_line_ends_and_byte_order_marks(newline, mark):
    for text, name in [("dog\ncat\n", "a.txt"), (CSV, "a.csv"), ("a > b\n\n", "a.txt")]:
        plain = parse(text, name)
        assert parse(mark + text.replace("\n", newline), name) == plain


@pytest.mark.parametrize(
    ("text", "name", "line", "says"),
    [
        ("dog\n\ncat\n", "a.txt", 2, "an empty line"),
        ("\ndog", "a.txt", 1, "an empty line"),
        ("concept,parent\n \na,b", "a.csv", 2, "an empty line"),
        ("dog\ncat\nDog", "a.txt", 3, "on line 1 already"),
        ("a,b\nc,d\nA , B", "a.csv", 3, "'a' with the parent 'b' stands on line 1 already"),
        ("a,b\n,b", "a.csv", 2, "without a name"),
        ("a,b,c", "a.csv", 1, "3 columns"),
        ('concept,parent\n"a,b\nc,d', "a.csv", 2, "not readable as CSV"),
        ("a > b\nc > d\nA>B", "a.txt", 3, "same path as on line 1"),
        ("a > b\na > > c", "a.txt", 2, "without a name"),
        ("a > b > a", "a.txt", 1, "above itself"),
        ("a > b\nc > d\nb > a\n", "a.txt", 3, "circle: "),
        ("x,y\na,b\nb,c\nz,a\nc,a\nq,r", "a.csv", 5, "circle: "),
        ("a,a", "a.csv", 1, "circle: a -> a"),
        ("dog\n" + "x" * 201, "a.txt", 2, "201 characters"),
        ("dog\n" + "x > " * 300 + "y", "a.txt", 2, "1201 characters"),
        ("a\nb\x00c", "a.txt", 2, "holds the character"),
        ('["a",\n"b"', "a.json", 2, "not readable as JSON"),
        ("{", "a.json", 1, "not readable as JSON"),
        ("dog", "a.json", 1, "not readable as JSON"),
    ],
)
def test_errors_name_the_line(text, name, line, says):
    with pytest.raises(VocabularyError, match=says) as caught:
        parse(text, name)
    assert caught.value.line == line
    assert str(caught.value).startswith(f"line {line}: ")
    assert caught.value.hint


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("3", "neither a list nor a mapping"),
        ("[]", "holds no concept"),
        ("{}", "holds no concept"),
        ("[3]", "concept 1 of the list has no name"),
        ('["a", {"title": "b"}]', "concept 2 of the list has no name"),
        ('[{"name": "a", "parent": "b"}]', "unknown field 'parent'"),
        ('[{"name": 3}]', "is not text"),
        ('[{"name": "a", "id": 3}]', "id of 'a' is not text"),
        ('[{"name": "a", "parents": "b"}]', "not a list of names"),
        ('[{"name": "a", "parents": [3]}]', "parent of 'a' is not text"),
        ('[{"name": "a", "parents": ["b"]}]', "unknown parent 'b'"),
        ('[{"name": "a", "familiarity": "much"}]', "not a finite number"),
        ('[{"name": "a", "synonyms": "b"}]', "synonyms of 'a' are not a list"),
        ('[{"name": "a", "synonyms": [1]}]', "a synonym of 'a' is not text"),
        ('[{"name": "a", "familiarity": NaN}]', "not a finite number"),
        ('[{"name": "a", "familiarity": true}]', "not a finite number"),
        ('[{"name": "a", "familiarity": 1' + "0" * 400 + "}]", "not a finite number"),
        ('["a", "A"]', "'a' occurs twice"),
        ('{"a": "b", "A": "c"}', "'A' occurs twice"),
        ('{"a": "b", "a": "c"}', "'a' occurs twice"),
        ('{"a": 3}', "not a list of names"),
        ('{"a": "b", "b": "a"}', "circle: a -> b -> a"),
        ('{"": "b"}', "without a name"),
        ('["\\ud800"]', "holds the character"),
        ("[" * 200_000, "not readable as JSON"),
    ],
)
def test_json_errors(text, says):
    with pytest.raises(VocabularyError, match=says) as caught:
        parse(text, "a.json")
    assert caught.value.hint


@pytest.mark.parametrize(
    ("content", "line", "says"),
    [
        (b"", None, "is empty"),
        (b"\xef\xbb\xbf \n\n", None, "is empty"),
        (b"# nothing\n# here", None, "only comments"),
        (b"dog\ncat\nb\xe4r\n", 3, "not UTF-8 text: byte 0xe4"),
        ("dog".encode("utf-16"), None, "UTF-16"),
        (b"\x89PNG\r\n\x1a\n", 1, "not UTF-8 text: byte 0x89"),
    ],
)
def test_files_that_are_no_text(content, line, says):
    with pytest.raises(VocabularyError, match=says) as caught:
        parse_vocabulary(content, name="a.txt")
    assert caught.value.line == line


def test_read_vocabulary_names_the_file(tmp_path):
    file = tmp_path / "words.csv"
    file.write_text(CSV)
    assert links(read_vocabulary(str(file))) == CSV_LINKS
    assert read_vocabulary(file).name == "words.csv"
    with pytest.raises(VocabularyError, match="cannot be read: No such file"):
        read_vocabulary(tmp_path / "none.txt")
    with pytest.raises(VocabularyError, match="cannot be read: Is a directory"):
        read_vocabulary(tmp_path)


def test_a_huge_file_is_refused_before_it_is_parsed(tmp_path):
    file = tmp_path / "huge.txt"
    with file.open("wb") as stream:
        stream.truncate(MAX_BYTES + 1)
    with pytest.raises(VocabularyError, match="larger than 64 MB"):
        read_vocabulary(file)


def test_a_large_file_is_read():
    vocabulary = parse("\n".join(f"thing {at}" for at in range(50_000)))
    assert len(vocabulary) == 50_000


def test_names_that_stand_in_lines_keep_odd_separators():
    assert parse("a\u2028b\nc").names == ["a b", "c"]  # white space, but no new line


words = st.text(
    st.characters(codec="utf-8", exclude_categories=["Cc", "Zs", "Zl", "Zp"]), min_size=1
).filter(lambda text: len(text) <= 40 and not text.isspace())
plain = words.filter(lambda text: not set(text) & set('>,"#[{') and text[0] != "\ufeff")


@given(st.lists(plain, min_size=1, max_size=8, unique_by=str.casefold))
def test_lines_come_back(names):
    vocabulary = parse("\n".join(names) + "\n")
    assert vocabulary.names == names


@given(st.lists(plain, min_size=2, max_size=6, unique_by=lambda text: text.casefold().casefold()))
def test_a_path_comes_back(names):
    vocabulary = parse(" > ".join(names))
    assert vocabulary.names == names
    assert [len(vocabulary.ancestors(concept.id)) for concept in vocabulary] == list(
        range(len(names))
    )


@given(st.lists(st.tuples(plain, plain), min_size=1, max_size=8))
def test_csv_is_read_or_refused(rows):
    text = "concept,parent\n" + "\n".join(f'"{child}","{parent}"' for child, parent in rows)
    try:
        vocabulary = parse(text)
    except VocabularyError:
        return
    for child, parent in rows:
        at = next(c for c in vocabulary if c.name.casefold() == child.casefold())
        assert any(vocabulary[p].name.casefold() == parent.casefold() for p in at.parents)


@settings(max_examples=300)
@given(st.binary(max_size=200), st.sampled_from(["a.txt", "a.csv", "a.json"]))
def test_any_bytes_are_read_or_refused(content, name):
    try:
        vocabulary = parse_vocabulary(content, name=name)
    except VocabularyError:
        return
    assert len(vocabulary) > 0


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.sampled_from(["name", "id", "parents", "familiarity", "concepts"])
            | st.text(max_size=4),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)


@settings(max_examples=300)
@given(json_values)
def test_any_json_is_read_or_refused(value):
    try:
        vocabulary = parse(json.dumps(value), "a.json")
    except VocabularyError:
        return
    assert len(vocabulary) > 0


@given(st.text(alphabet="ab >,\n\"#'", max_size=60), st.sampled_from(["a.txt", "a.csv"]))
def test_almost_good_text_is_read_or_refused(text, name):
    try:
        vocabulary = parse(text, name)
    except VocabularyError:
        return
    for concept in vocabulary:
        assert concept.id not in vocabulary.ancestors(concept.id)
    assert max(map(len, text.split("\n"))) <= MAX_LINE
