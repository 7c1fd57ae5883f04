"""Reading YAML as Helm, kubectl and Heat do; `tests/chart/test_yaml.py` verifies what is expected here with Helm itself."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from zerojhub.errors import UserError
from zerojhub.yamlfile import GO, PYYAML, dump, line_of, load, plain, read_documents, read_yaml, written

AS_GO_READS = {
    "{a: 0644, b: 0o644, c: 0O644, d: 08, e: 0x1F, f: 0b101, g: 0b-1, h: 1_000, i: -0b1}": {
        "a": 420, "b": 420, "c": 420, "d": 8, "e": 31, "f": 5, "g": -1, "h": 1000, "i": -1,
    },
    "{a: 1.10, b: 1e3, c: .5, d: 1., e: 170e405, f: 170e4, g: -0, h: 20161216, i: 1_0.5_0}": {
        "a": 1.1, "b": 1000, "c": 0.5, "d": 1, "e": "170e405", "f": 1700000, "g": 0, "h": 20161216, "i": 10.5,
    },
    "{a: 18446744073709551615, b: 18446744073709551616, c: 0x1FFFFFFFFFFFFFFFF, d: -9223372036854775808}": {
        "a": 18446744073709551615, "b": 18446744073709551616.0, "c": "0x1FFFFFFFFFFFFFFFF", "d": -9223372036854775808,
    },
    "{a: yes, b: on, c: y, d: TRUE, e: no, f: Off, g: n, h: yEs, i: 'yes', j: oN}": {
        "a": True, "b": True, "c": True, "d": True, "e": False, "f": False, "g": False, "h": "yEs", "i": "yes", "j": "oN",
    },
    "{a: 2026-01-31, b: 2026-01-31T10:00:00Z, c: 12:30, d: 1:30:00, e: 3.3.8, f: 10Gi, g: 0x, h: 0o9, i: 1__e}": {
        "a": "2026-01-31", "b": "2026-01-31T10:00:00Z", "c": "12:30", "d": "1:30:00", "e": "3.3.8", "f": "10Gi",
        "g": "0x", "h": "0o9", "i": "1__e",
    },
    "a:\nb: ~\nc: null\nd: ''\ne: NULL\nf: nULL\n": {"a": None, "b": None, "c": None, "d": "", "e": None, "f": "nULL"},
    "0644: a\n1.10: b\nyes: c\n1e7: d\n2026-01-31: e\n'0644 ': f\n0.1: g\n1e60: h\n": {
        "420": "a", "1.1": "b", "true": "c", "1e+07": "d", "2026-01-31": "e", "0644 ": "f", "0.1": "g", ".inf": "h",
    },
    "ingress: {enabled: &off false}\nhub: {a: *off, b: &x [1, 2]}\nc: *x\n": {
        "ingress": {"enabled": False}, "hub": {"a": False, "b": [1, 2]}, "c": [1, 2],
    },
    "a: &a {x: 1, y: 2}\nb: {<<: *a, x: 3}\nc: {x: 3, <<: *a}\nd: {<<: [{z: 4}, *a]}\ne: {'<<': 1}\n": {
        "a": {"x": 1, "true": 2}, "b": {"x": 3, "true": 2}, "c": {"x": 1, "true": 2}, "d": {"z": 4, "x": 1, "true": 2},
        "e": {"<<": 1},
    },
    "a: !!str 0644\nb: !!int '0x10'\nc: !!float 3\nd: !mine 1\ne: ! 1\nf: !!binary aGk=\ng: !!bool 'on'\nh: !!set {x}\n": {
        "a": "0644", "b": 16, "c": 3, "d": "1", "e": "1", "f": "hi", "g": True, "h": {"x": None},
    },
    "a: |\n  #!/bin/sh\n  echo\nb: >-\n  one\n  two\nc: plain\n  folded\nd: \"\\x1b\\u2028\\x7f\\U0001F680\"\n": {
        "a": "#!/bin/sh\necho\n", "b": "one two", "c": "plain folded", "d": "\x1b\u2028\x7f\U0001f680",
    },
    "\ufeffa: \tb\t# c\r\nd: [\r\n\te]\r\n...\n---\n": {"a": "b", "d": ["e"]},
    "# nothing\n": {},
}  # fmt: skip
"""Documents, and what Helm makes of them as values."""


@pytest.mark.parametrize("text", AS_GO_READS)
def test_values_mean_what_they_mean_to_helm(text):
    assert same(plain(load(text.encode(), "values")) or {}, AS_GO_READS[text])


def same(ours, theirs) -> bool:
    """Equal as JSON whose numbers are doubles; in Python, True would be 1."""
    if isinstance(ours, dict) and isinstance(theirs, dict):
        return ours.keys() == theirs.keys() and all(same(ours[key], theirs[key]) for key in ours)
    if isinstance(ours, list) and isinstance(theirs, list):
        return len(ours) == len(theirs) and all(map(same, ours, theirs))
    if type(ours) in NUMBERS and type(theirs) in NUMBERS:
        return float(ours) == float(theirs)
    return type(ours) is type(theirs) and ours == theirs


NUMBERS = (int, float)


def test_templates_mean_what_they_mean_to_heat():
    text = b"a: 0644\nb: 0o644\nc: yes\nd: y\ne: 1:30\nf: 2016-10-14\ng: 1e3\n1: x\ntrue: y\nh: &h {i: 1}\nj: {i: 2, <<: *h}\n"
    assert plain(load(text, "template", PYYAML)) == {
        "a": 420, "b": "0o644", "c": True, "d": "y", "e": 90, "f": "2016-10-14", "g": "1e3", "1": "x", "true": "y",
        "h": {"i": 1}, "j": {"i": 2},
    }  # fmt: skip


@pytest.mark.parametrize(
    ("text", "line", "problem"),
    [
        ("a: 1\npassword: {{ PASSWORD }}\n", 2, "the placeholder {{ PASSWORD }} has not been filled in"),
        ("a:\n  - {{x}}\n", 2, "the placeholder {{x}} has not been filled in"),
        ("host: {{ HOST }}.example.org\n", 1, "the placeholder {{ HOST }} has not been filled in"),
        ("{{ KEY }}: 1\n", 1, "the placeholder {{ KEY }} has not been filled in"),
        ("a: 1\n{% if x %}\nb: 1\n{% endif %}\n", 2, "the placeholder {% if x %} has not been filled in"),
        ("a: 1\nb: @PASSWORD@\n", 2, "the placeholder @PASSWORD@ has not been filled in"),
        ("a: 1\nb: %PASSWORD%\n", 2, "the placeholder %PASSWORD% has not been filled in"),
        ("? [a]\n: 1\n", 1, "a key must be a word, not a mapping or a list"),
        ("a: &a [1]\n*a : 1\n", 2, "a key must be a word, not a mapping or a list"),
        ("a: 1\nb: \x1b[1m\n", 2, "contains the control character U+001B"),
        ("a: 1\nb: \x00\n", 2, "contains the control character U+0000"),
        ("a: 1\n\tb: 1\n", 2, "indented with a tab (use spaces)"),
        ("a:\n\tb: 1\n", 2, "indented with a tab (use spaces)"),
        ("a: |\n\tb\n", 2, "indented with a tab (use spaces)"),
        ("a: `x`\n", 1, "a value cannot start with ` (put it in quotes)"),
        ("hub:\n  config: |\nimport x\nb: 1\n", 3, "could not find expected ':'"),
        ("a: b: c\n", 1, "mapping values are not allowed"),
        ("a: 1\nb: 'x\nc: 1\n", 2, "quoted scalar"),
        ("a: 1\na: 2\n", 2, "duplicate key 'a' (the first is in line 1; merge them)"),
        ("yes: 1\ntrue: 2\n", 2, "duplicate key 'true'"),
        ("a: 1\n~: 2\n", 2, "a key is empty or null: put it in quotes"),
        ("a: 1\nb: .inf\n", 2, "JSON has no number .inf: put it in quotes"),
        ("a: !!int x\n", 1, "'x' is not of type int"),
        ("a: *b\n", 1, "unknown anchor 'b'"),
        ("a:\n- {b: http://x/?q=1}\n", 2, "a ? in brackets or braces (put the text in quotes)"),
        ("a: [!!str, b]\n", 1, "a space is missing between a tag and a comma"),
        ("b: 1\na: [&a !x, b]\n", 2, "a space is missing between a tag and a comma"),
        ("a: &a\n  b: *a\n", 2, "the anchor 'a' contains itself"),
        ("a: {<<: 1}\n", 1, "<< must be followed by a mapping"),
        ("a: 1\n---\nb: 1\n", 2, "expected a single document, found 2 (merge the two)"),
        ("a: 1\n---\nb: 1\n---\nc: 1\n", 2, "expected a single document, found 3 (merge them)"),
        ("a:\n  " + "[" * 200, 2, "nested more than 100 levels deep"),
        ("a: " + "- " * 5000, 1, "block sequence entries are not allowed"),
        ("a0: &a0 [x]\n" + "".join(f"a{n}: &a{n} [*a{n - 1}]\n" for n in range(1, 200)), 1, "nested more than 100"),
    ],
)
def test_a_mistake_is_one_line_with_its_place(text, line, problem):
    with pytest.raises(UserError) as refused:
        load(text.encode(), "values.yaml")
    assert str(refused.value).startswith(f"values.yaml:{line}: ")
    assert problem in str(refused.value)
    assert "\n" not in str(refused.value)


def test_text_in_another_encoding_is_refused_with_its_line():
    with pytest.raises(UserError, match=r"^values\.yaml:2: not valid UTF-8.*save the file as UTF-8"):
        load("a: 1\nb: café\n".encode("latin-1"), "values.yaml")
    assert load("a: café\n".encode("utf-16"), "values.yaml") == {"a": "café"}


@pytest.mark.timeout(30)
def test_aliases_that_repeat_without_end_are_refused_at_once():
    laughs = "a0: &a0 [ha, ha, ha, ha, ha, ha, ha, ha, ha]\n" + "".join(
        f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]\n" for n in range(1, 9)
    )
    with pytest.raises(UserError, match="its aliases repeat too much"):
        load(laughs.encode(), "values.yaml")


JSON = st.recursive(
    st.one_of(
        st.none(),
        st.booleans(),
        st.integers(-(2**63), 2**64 - 1),
        st.floats(allow_nan=False, allow_infinity=False),
        st.text(st.characters(codec="utf-8")),
        st.sampled_from(
            ["yes", "on", "y", "N", "0644", "0o644", "1_0", "1:30", "2026-01-31", "1e3", ".5_0", "=", "<<", "", "~"]
        ),
    ),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(st.characters(codec="utf-8")), inner, max_size=3)
    ),
    max_leaves=8,
)


@given(JSON)
def test_what_is_written_means_the_same_to_every_reader(document):
    text = dump(document).encode()
    assert plain(load(text, "written", GO)) == document
    assert plain(load(text, "written", PYYAML)) == document


PARTS = [
    *"abc01 :-?{}[],&*#|>%@`'\"~=.\t\n\r\x00\x1b\ufeff\u2028é",
    "a: ",
    "- ",
    "\n  ",
    "&a ",
    "*a",
    "<<: ",
    "---\n",
    "...\n",
]
TAGS = [
    "!!int ",
    "!!float ",
    "!!bool ",
    "!!null ",
    "!!str ",
    "!!binary ",
    "!!timestamp ",
    "!!set ",
    "!!omap ",
    "!x ",
    "! ",
]


@given(st.lists(st.sampled_from([*PARTS, *TAGS]), max_size=30).map("".join), st.sampled_from([GO, PYYAML]))
def test_any_text_is_read_or_refused_in_one_line(text, rules):
    try:
        json.dumps(load(text.encode(), "values.yaml", rules))
    except UserError as refused:
        assert str(refused).startswith("values.yaml:")
        assert "\n" not in str(refused)


def test_text_is_written_for_people():
    document = {"b": "yes", "a": ["x: y", 1.5], "script": "#!/bin/sh\necho 🚀\n", "same": [[1], [1]]}
    assert dump(document) == ("b: 'yes'\na:\n- 'x: y'\n- 1.5\nscript: |\n  #!/bin/sh\n  echo 🚀\nsame:\n- - 1\n- - 1\n")


def test_every_key_has_its_line_and_its_text(tmp_path):
    path = tmp_path / "values.yaml"
    path.write_text("hub: &hub\n  tag: 1.10\n  on: 'yes'\n  list:\n    - 0644\n    - {x: off}\nother: *hub\n")
    document = read_yaml(path)
    assert document["hub"] == {"tag": 1.1, "true": "yes", "list": [420, {"x": False}]}
    places = [("hub",), ("hub", "tag"), ("hub", "true"), ("hub", "list", 0), ("hub", "list", 1, "x"), ("other",)]
    assert [line_of(document, place) for place in places] == [1, 2, 3, 5, 6, 7]
    texts = [None, "1.10", None, "0644", "off", None]
    assert [written(document, place) for place in places] == texts
    assert line_of(document, ("hub", "list", 7, "x")) == 4
    assert written(document, ("hub", "tag", "x")) is None


def test_what_json_escapes_and_yaml_does_not(tmp_path):
    path = tmp_path / "job.json"
    path.write_text(r'{"a": "\ud83d\ude00\uD83D\uDE00", "b": "\\ud83d\\ude00 \u00e9"}')
    assert read_documents(path) == [(1, {"a": "😀😀", "b": r"\ud83d\ude00 é"})]


def test_documents_without_the_empty_ones(tmp_path):
    path = tmp_path / "jobs.yaml"
    path.write_text("---\na: 1\n---\n# nothing\n---\nb: 2\n---\n")
    documents = read_documents(path)
    assert documents == [(1, {"a": 1}), (5, {"b": 2})]
    assert line_of(documents[1][1], ("b",)) == 6
