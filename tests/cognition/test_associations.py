"""Association norms: every layout gives the same pairs; what is missing or refused."""

import csv
import io

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mmclust.cognition.norms import read_strengths
from mmclust.core.errors import MmclustError

WORDS = ["apple", "cat", "dog", "ice cream", "null", "pear"]
R1 = """cue\tresponse\tR1\tN\tR1.Strength
cat\tdog\t8\t100\t0.08
dog\tcat\t4\t100\t0.04
apple\tpear\t7\t99\t0.07
apple\tNA\t5\t99\t0.05
apple\tbanana\t9\t99\t0.09
dog\tice cream\t1\t100\t0.01
null\tdog\t2\t100\t0.02
dog\tdog\t3\t100\t0.03
cat\t"\t1\t100\t0.01
"""
RELATIONS = (
    "forwardassociated\tcat\tdog\t8\n"
    "bidirectionalassociated\tcat\tdog\t8\n"
    "forwardassociated\tdog\tcat\t4\n"
    "bidirectionalassociated\tdog\tcat\t4\n"
    "forwardassociated\tapple\tpear\t7\n"
    "forwardassociated\tapple\tbanana\tx\n"
)
R100 = (
    '"","id","participantID","age","cue","R1","R2","R3"\n'
    '"1",29,3,33,"cat","dog","fur","dog"\n'
    '"2",30,4,30,"dog","cat",NA,NA\n'
    '"3",30,5,30,"dog","No more responses","ice cream","Unknown word"\n'
)


def read(tmp_path, text, words=WORDS, counting="published"):
    path = tmp_path / "norms.csv"
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    found = read_strengths(path, words, counting)
    pairs = [tuple(words[i] for i in pair) for pair in found.pairs]
    return dict(zip(pairs, found.strengths.tolist(), strict=True)), found.facts


@pytest.mark.parametrize("name", ["R1", "R123"])
@pytest.mark.parametrize("ends", ["\n", "\r\n"])
def test_strengths_sum_both_directions(tmp_path, name, ends):
    """Counts of both directions; NA is missing, and the word null is a word."""
    text = R1.replace("R1", name).replace("\n", ends)
    pairs, facts = read(tmp_path, text)
    assert pairs == {
        ("apple", "pear"): 7, ("cat", "dog"): 12, ("dog", "ice cream"): 1,
        ("dog", "null"): 2,
    }  # fmt: skip
    assert (facts["layout"], facts["n_rows"]) == ("strengths", 9)
    assert (facts["n_rows_missing"], facts["n_rows_repeated"]) == (1, 0)


def test_quoted_strengths(tmp_path):
    rows = csv.reader(io.StringIO(R1.replace('"', "quote")), delimiter="\t")
    text = "\n".join("\t".join(f'"{cell}"' for cell in row) for row in rows)
    assert read(tmp_path, text)[0] == read(tmp_path, R1)[0]


def test_responses_count_one_each(tmp_path):
    """Answers of participants, all three; no answer is no pair."""
    pairs, facts = read(tmp_path, R100)
    assert pairs == {("cat", "dog"): 3, ("dog", "ice cream"): 1}
    assert (facts["layout"], facts["n_rows"]) == ("responses", 9)
    assert facts["n_rows_missing"] == 4


def test_the_double_count_is_by_option_and_said(tmp_path):
    """Published: a reciprocal pair counts twice; forward_only: once."""
    twice, facts = read(tmp_path, RELATIONS)
    assert twice == {("apple", "pear"): 7, ("cat", "dog"): 24}
    assert facts["n_rows_bidirectional"] == 2
    assert "2 (f_ab + f_ba)" in facts["double_count"]
    once, facts = read(tmp_path, RELATIONS, counting="forward_only")
    assert once == {("apple", "pear"): 7, ("cat", "dog"): 12}
    assert "double_count" not in facts
    assert facts["counting"] == "forward_only"


def test_a_header_over_relations_and_more_columns(tmp_path):
    """Neither disturbs; nor does the count of a row with a word that is not listed."""
    text = "relation\tcue\tresponse\tcount\tnote\n" + RELATIONS.replace("\n", "\t-\n")
    assert read(tmp_path, text)[0] == read(tmp_path, RELATIONS)[0]


def test_a_repeated_row_is_summed_and_counted(tmp_path):
    """As published; the number of such rows is said."""
    pairs, facts = read(tmp_path, RELATIONS + "forwardassociated\tcat\tdog\t1\n")
    assert pairs["cat", "dog"] == 25
    assert facts["n_rows_repeated"] == 1


def test_a_missing_count_is_left_out(tmp_path):
    pairs, facts = read(tmp_path, RELATIONS.replace("pear\t7", "pear\tNA"))
    assert ("apple", "pear") not in pairs
    assert facts["n_rows_missing"] == 1


def test_accents_in_either_form(tmp_path):
    """One letter, or a letter and its accent: the same word."""
    text = R1.replace("apple", "cafe\N{COMBINING ACUTE ACCENT}")
    pairs, _ = read(tmp_path, text, ["pear", "caf\N{LATIN SMALL LETTER E WITH ACUTE}"])
    assert list(pairs.values()) == [7]


def test_no_pair_of_the_list(tmp_path):
    pairs, facts = read(tmp_path, R1, ["kayak", "saw"])
    assert pairs == {}
    assert facts["n_pairs"] == 0


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (R1.replace("\t", ","), "is not a file of word associations"),
        (R1.replace("\t", ";"), "is not a file of word associations"),
        (R1.replace("cue", "stimulus"), "is not a file of word associations"),
        (R1.partition("\n")[2], "is not a file of word associations"),
        (RELATIONS.replace("\t", ","), "is not a file of word associations"),
        ("", "is not a file of word associations"),
        (R1.replace("\t8\t", "\t8.5\t"), "a count that is not a number"),
        (R1.replace("\t8\t", "\t-8\t"), "a count that is not a number"),
        (R1.replace("\t8\t", f"\t{10**20}\t"), f"found: +{10**20}"),
        (R1.replace("cat\tdog\t8", "cat\tdog"), "cannot be read as word"),
        (R1.encode().replace(b"banana", b"caf\xe9"), "cannot be read as word"),
    ],
)
def test_bad_files(tmp_path, text, message):
    with pytest.raises(MmclustError, match=message):
        read(tmp_path, text)


def test_an_unknown_way_of_counting(tmp_path):
    with pytest.raises(MmclustError, match="Unknown way of counting"):
        read(tmp_path, R1, counting="backward")


@given(
    rows=st.lists(
        st.tuples(st.sampled_from("abcdef"), st.sampled_from("abcdef"),
                  st.integers(0, 99)), min_size=1, max_size=30,
    )
)  # fmt: skip
def test_against_dictionaries(tmp_path_factory, rows):
    """A dictionary of sorted pairs, as published."""
    words = list("abcde")
    text = "".join(f"forwardassociated\t{a}\t{b}\t{n}\n" for a, b, n in rows)
    plain = {}
    for a, b, n in rows:
        if a in words and b in words and a != b:
            key = tuple(sorted((a, b)))
            plain[key] = plain.get(key, 0) + n
    assert read(tmp_path_factory.mktemp("norms"), text, words)[0] == plain


def test_pairs_are_ascending(tmp_path):
    path = tmp_path / "norms.csv"
    path.write_text(R1)
    pairs = read_strengths(path, WORDS[::-1]).pairs
    assert (pairs[:, 0] < pairs[:, 1]).all()
    assert (np.diff(pairs[:, 0]) >= 0).all()
