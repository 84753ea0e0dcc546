import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from anomaly.errors import PolicyInvalid
from anomaly.policy.document import Level
from anomaly.policy.parse import PolicyRefused, parse, read


def test_a_recorded_policy_is_accepted_or_refused_in_the_server_s_own_words(recording, recorded):
    reading = recording.read(recorded)
    verdict = recording.verdicts[recorded]

    assert (reading.policy is not None) is verdict["accepted"]
    assert verdict["error"] == reading.error
    assert verdict["warnings"] == list(reading.warnings)


def test_a_refused_policy_raises_with_the_server_s_line_and_where_to_look(recording):
    with pytest.raises(PolicyRefused) as caught:
        parse(b"apiVersion: audit.k8s.io/v1\nrules: []\n", "p.yaml")

    assert (
        str(caught.value) == "loading audit policy file: loaded illegal policy with 0 rules: from file p.yaml"
    )
    assert caught.value.hint == "see `anomaly policy lint p.yaml`"


@pytest.mark.parametrize(
    ("text", "error"),
    [
        pytest.param(
            "kind: Policy\napiVersion: a/b/c",
            "unexpected GroupVersion string: a/b/c",
            id="version with two slashes",
        ),
        pytest.param(
            "- a: 1",
            "couldn't get version/kind; json parse error: json: cannot unmarshal array",
            id="list",
        ),
        pytest.param(
            "hello",
            "json: cannot unmarshal string into Go value of type struct",
            id="a word",
        ),
        pytest.param(
            "apiVersion: 1",
            "json: cannot unmarshal number into Go struct field .apiVersion of type string",
            id="version 1",
        ),
        pytest.param(
            "apiVersion: audit.k8s.io/v1\nkind: PolicyList",
            "converting (v1.PolicyList) to (audit.Policy): unknown",
            id="list kind",
        ),
        pytest.param(
            "kind: Foo",
            'no kind "Foo" is registered for the internal version of group "audit.k8s.io"',
            id="only a kind",
        ),
        pytest.param("a: *b", "yaml: unknown anchor 'b' referenced", id="unknown anchor"),
        pytest.param(
            "a: &a [*a]",
            "yaml: anchor 'a' value contains itself",
            id="anchor in itself",
        ),
        pytest.param(
            "a: !!int x",
            "yaml: cannot decode !!str `x` as a !!int",
            id="tag and value differ",
        ),
        pytest.param("a: .nan", "json: unsupported value: NaN", id="not a number"),
        pytest.param("? [a]\n: b", "yaml: invalid map key", id="a list as key"),
        pytest.param(
            "<<: 1",
            "yaml: map merge requires map or sequence of maps as the value",
            id="merge of a number",
        ),
        pytest.param('{"a" 1}', "invalid character '1' after object key", id="JSON without colon"),
        pytest.param(
            '{"a":tru}',
            "invalid character '}' in literal true (expecting 'e')",
            id="JSON half a word",
        ),
        pytest.param(
            '{"a":1} x',
            "invalid character 'x' after top-level value",
            id="JSON and more",
        ),
        pytest.param(
            '{"a":"\\x"}',
            "invalid character 'x' in string escape code",
            id="JSON bad escape",
        ),
        pytest.param(
            '{"a":[1 2]}',
            "invalid character '2' after array element",
            id="JSON without comma",
        ),
        pytest.param(
            '{"a":1.}',
            "invalid character '}' after decimal point in numeric literal",
            id="JSON half a number",
        ),
        pytest.param("{", "unexpected end of JSON input", id="JSON cut off"),
        pytest.param(
            "{# comment\n}",
            "invalid character '#' looking for beginning of object key string",
            id="JSON with comment",
        ),
    ],
)
def test_what_cannot_be_decoded_is_refused_in_go_s_words(text, error):
    reading = read(text.encode(), "p.yaml")

    assert reading.policy is None
    assert error in reading.error
    assert reading.error.endswith(": from file p.yaml")


@pytest.mark.parametrize(
    ("metadata", "error"),
    [
        (
            "5",
            "json: cannot unmarshal number into Go struct field Policy.metadata of type v1.ObjectMeta",
        ),
        (
            "{name: 5}",
            "json: cannot unmarshal number into Go struct field ObjectMeta.metadata.name of type string",
        ),
        (
            "{labels: {a: yes}}",
            "cannot unmarshal bool into Go struct field ObjectMeta.metadata.labels of type string",
        ),
        (
            "{generation: 1.5}",
            "cannot unmarshal number 1.5 into Go struct field ObjectMeta.metadata.generation of type int64",
        ),
        (
            "{creationTimestamp: soon}",
            'parsing time "soon" as "2006-01-02T15:04:05Z07:00": cannot parse "soon" as "2006"',
        ),
    ],
)
def test_metadata_is_typed_too(policy_of, metadata, error):
    reading = read(policy_of("- level: None", f"metadata: {metadata}\n"), "p.yaml")

    assert error in reading.error


def test_unknown_fields_are_listed_in_the_order_of_sorted_keys_for_yaml_and_of_the_file_for_json():
    yaml = read(b"apiVersion: audit.k8s.io/v1\nz: 1\nb: 2\nrules: [{level: None}]")
    json = read(b'{"apiVersion":"audit.k8s.io/v1","z":1,"b":2,"rules":[{"level":"None"}]}')

    assert yaml.warnings[0].endswith('unknown field "b", unknown field "z"')
    assert json.warnings[0].endswith('unknown field "z", unknown field "b"')
    assert [complaint.line for complaint in yaml.complaints] == [3, 2]


def test_the_version_may_be_spelt_in_any_case_but_is_then_an_unknown_field():
    reading = read(b"APIVERSION: audit.k8s.io/v1\nrules: [{level: None}]")

    assert reading.policy is not None
    assert 'unknown field "APIVERSION"' in reading.warnings[0]


def test_a_merge_key_is_laid_over_what_stands_before_it_and_warned_of():
    text = b"""apiVersion: audit.k8s.io/v1
rules:
  - &usual {level: Metadata, verbs: [get]}
  - <<: *usual
    level: Request
"""
    reading = read(text)

    assert [rule.level for rule in reading.policy.rules] == [
        Level.METADATA,
        Level.REQUEST,
    ]
    assert reading.policy.rules[1].verbs == ("get",)
    assert 'line 5: key "level" already set in map' in reading.warnings[0]


def test_a_double_list_in_json_shows_through_field_by_field_as_go_decodes_it():
    text = b'{"apiVersion":"audit.k8s.io/v1","rules":[{"level":"Request","users":["a"]}],"rules":[{"level":"Metadata"}]}'

    policy = parse(text)

    assert (policy.rules[0].level, policy.rules[0].users) == ("Metadata", ("a",))


def test_what_follows_the_first_document_is_ignored_but_remembered():
    text = b"apiVersion: audit.k8s.io/v1\nrules: [{level: None}]\n---\nrules: [\n"

    assert (read(text).rest, read(text).error) == (3, None)
    assert read(text.partition(b"---")[0]).rest is None


@pytest.mark.parametrize("encoding", ["utf-16", "utf-8-sig"])
def test_other_encodings_are_read_by_their_mark(policy_of, encoding):
    text = policy_of("- level: Metadata").decode()

    assert parse(text.encode(encoding)).rules[0].level == "Metadata"


BOMBS = {
    "billion laughs": b"a: &a [x,x,x,x,x,x,x,x,x]\n"
    + b"".join(
        f"{chr(98 + i)}: &{chr(98 + i)} [{','.join([f'*{chr(97 + i)}'] * 9)}]\n".encode() for i in range(9)
    ),
    "square": b"a: &a [" + b"x," * 1000 + b"]\nb: [" + b"*a," * 1000 + b"]",
    "ten megabytes": b"a: " + b"x" * (10 << 20),
    "many values": b"a: [" + b"x," * 500_000 + b"]",
    "deep YAML": b"[" * (1 << 20),
    "deep block": b"- " * (1 << 19),
    "deep JSON": b'{"a":' + b"[" * 500_000,
    "merges": b"a: &a {x: 1}\nb: {" + b"<<: *a, " * 100_000 + b"}",
    "long number": b"a: " + b"9" * 500_000,
    "many rules": b"apiVersion: audit.k8s.io/v1\nrules:\n" + b"- levl: x\n" * 45_000,
}


@pytest.mark.timeout(5)
@pytest.mark.parametrize("bomb", BOMBS)
def test_a_bomb_ends_in_an_error_that_says_so(bomb):
    reading = read(BOMBS[bomb], "p.yaml")

    assert reading.policy is None
    assert "p.yaml" in reading.error


@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=400))
def test_any_bytes_are_a_policy_or_refused(data):
    reading = read(data)

    assert (reading.policy is None) is (reading.error is not None)


_WORDS = st.sampled_from(
    [
        "apiVersion",
        "kind",
        "rules",
        "level",
        "users",
        "verbs",
        "resources",
        "group",
        "Metadata",
        "audit.k8s.io/v1",
        "Policy",
        "-",
        ":",
        "[",
        "]",
        "{",
        "}",
        ",",
        "&",
        "*",
        "!",
        "<<",
        "|",
        ">",
        '"',
        "'",
        "&a",
        "*a",
        "!!int",
        "!!binary",
        "yes",
        "null",
        "0x1f",
        "1e3",
        ".inf",
        "2024-01-01",
        "---",
        "...",
        "#",
        "%",
        "@",
        "`",
        "~",
        "?",
        "\n",
        "\t",
    ]
)


@settings(max_examples=400, deadline=None)
@given(
    st.lists(
        st.tuples(_WORDS, st.sampled_from(["", " ", "\n", "\n  ", "\n    "])),
        max_size=40,
    )
)
def test_any_text_that_looks_like_yaml_is_a_policy_or_refused(parts):
    text = "".join(word + gap for word, gap in parts)
    try:
        parse(text.encode())
    except PolicyInvalid as refused:
        assert str(refused)


_JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.text(max_size=8)
    | st.sampled_from(["Metadata", "None", "*"]),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.sampled_from(
                [
                    "rules",
                    "level",
                    "users",
                    "resources",
                    "group",
                    "omitStages",
                    "metadata",
                    "labels",
                    "x",
                ]
            ),
            inner,
            max_size=5,
        )
    ),
    max_leaves=20,
)


@settings(max_examples=300, deadline=None)
@given(_JSON)
def test_any_structure_is_a_policy_or_refused_and_json_and_yaml_agree(rules):
    import json

    text = json.dumps({"apiVersion": "audit.k8s.io/v1", "kind": "Policy", "rules": rules})
    as_json, as_yaml = read(text.encode()), read(f"---\n{text}".encode())

    assert as_json.policy == as_yaml.policy
    assert (as_json.error is None) is (as_yaml.error is None)
