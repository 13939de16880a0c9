"""Quantities are spelled so that the API server keeps them."""

from fractions import Fraction

import pytest
from aifactory.render.quantity import canonical
from hypothesis import given
from hypothesis import strategies as st

UNITS = {
    "m": Fraction(1, 1000),
    "": Fraction(1),
    **{suffix: Fraction(1000) ** power for power, suffix in enumerate("kMGTPE", start=1)},
    **{f"{letter}i": Fraction(1024) ** power for power, letter in enumerate("KMGTPE", start=1)},
}
API_UNITS = ["", "m", "k", "M", "G", "T", "Ki", "Mi", "Gi", "Ti"]
quantities = st.builds(
    lambda whole, digits, unit: f"{whole}{'.' + digits if digits else ''}{unit}",
    st.integers(0, 10**9),
    st.text("0123456789", max_size=6),
    st.sampled_from(API_UNITS),
)


def value(text: str) -> Fraction:
    number = text.rstrip("mkKMGTPEi")
    return Fraction(number) * UNITS[text[len(number) :]]


# Answers of kube-apiserver 1.37 to these requests.
@pytest.mark.parametrize(
    ("text", "stored"),
    [
        ("0", "0"),
        ("0.0", "0"),
        ("0Gi", "0"),
        ("0.5", "500m"),
        ("1000m", "1"),
        ("1500m", "1500m"),
        ("0.0005", "1m"),
        ("8", "8"),
        ("08", "8"),
        ("1000", "1k"),
        ("1024", "1024"),
        ("1024Mi", "1Gi"),
        ("1.5Gi", "1536Mi"),
        ("0.5Gi", "512Mi"),
        ("0.5Ki", "512"),
        ("0.9765625Ki", "1k"),
        ("1023Ki", "1023Ki"),
        ("1048576", "1048576"),
        ("20000000000", "20G"),
        ("999999999999999Ti", "9223372036854775807"),
    ],
)
def test_spelling_of_the_api_server(text, stored):
    assert canonical(text) == stored


@given(quantities)
def test_canonical_text_stays(text):
    assert canonical(canonical(text)) == canonical(text)


@given(quantities)
def test_value_is_kept_up_to_a_thousandth(text):
    asked, stored = value(text), value(canonical(text))
    if asked < 2**63:
        assert asked <= stored < asked + Fraction(1, 1000)


@given(quantities, quantities)
def test_equal_values_of_one_kind_have_one_spelling(first, second):
    if first.endswith("i") == second.endswith("i") and value(canonical(first)) == value(canonical(second)):
        assert canonical(first) == canonical(second)


@pytest.mark.parametrize("text", ["", "-1", "1.", ".5", "1e3", "1 Gi", "1gi", "abc"])
def test_other_text_is_refused_by_name(text):
    with pytest.raises(ValueError, match="is not a Kubernetes quantity"):
        canonical(text)
