"""Tables of numbers as text, a picture in every row, as Kaggle, pandas and numpy.savetxt write them."""

import gzip

import numpy as np
import pytest
from making import grey, labels_of, names_of

from nanogan.data.images import load_images, read_images
from nanogan.errors import InputError

P, LABELLED = grey(), np.arange(12) % 3
HEADER = ",".join(["label", *(f"pixel{number}" for number in range(784))])
FLAT = P.reshape(12, -1)
TABLES = {
    "Kaggle's MNIST": dict(rows=np.c_[LABELLED, FLAT], header=HEADER),
    "label last": dict(rows=np.c_[FLAT, LABELLED], header=",".join([*map(str, range(784)), "class"])),
    "label first, no header": dict(rows=np.c_[LABELLED, FLAT]),
    "label last, no header": dict(rows=np.c_[FLAT, LABELLED]),
    "quoted header": dict(rows=np.c_[LABELLED, FLAT], header='"' + HEADER.replace(",", '","') + '"'),
    "semicolons": dict(rows=np.c_[LABELLED, FLAT], delimiter=";"),
    "tabs": dict(rows=np.c_[LABELLED, FLAT], delimiter="\t"),
    "spaces": dict(rows=np.c_[LABELLED, FLAT], delimiter=" "),
    "index and label": dict(rows=np.c_[np.arange(12), LABELLED, FLAT], header="," + HEADER),
    "a numbered header": dict(rows=np.c_[LABELLED, FLAT], header=",".join(map(str, range(785)))),
    "no label": dict(rows=FLAT),
    "an index and no label": dict(rows=np.c_[np.arange(12), FLAT]),
    "of one class": dict(rows=np.c_[np.full(12, 7), FLAT], header=HEADER),
    "Windows": dict(rows=np.c_[LABELLED, FLAT], header="\ufeff" + HEADER, newline="\r\n"),
    "with a line at the end": dict(rows=np.c_[LABELLED, FLAT], newline="\n\n"),
    "fractions": dict(rows=np.c_[LABELLED, FLAT / 255], fmt="%.6f"),
}


@pytest.mark.parametrize("ending", [".csv", ".csv.gz"])
@pytest.mark.parametrize("case", TABLES)
def test_tables(tmp_path, case, ending):
    options = {"delimiter": ",", "fmt": "%d", "comments": "", "encoding": "utf-8", **TABLES[case]}
    np.savetxt(tmp_path / "a.csv", options.pop("rows"), **options)
    if ending == ".csv.gz":
        (tmp_path / "a.csv.gz").write_bytes(gzip.compress((tmp_path / "a.csv").read_bytes()))
    found = read_images(tmp_path / f"a{ending}")
    np.testing.assert_allclose(found.scaled((0, 1))[..., 0], P / 255, atol=1e-5)
    if "no label" in case:
        assert found.labels is None
    elif "one class" in case:
        assert labels_of(found) == [0] * 12 and found.class_names == ("7",)
    else:
        assert labels_of(found) == LABELLED.tolist() and "label" in found.description


@pytest.mark.parametrize("last", [False, True])
@pytest.mark.parametrize("header", ["", "x"])
def test_labels_may_be_words(tmp_path, last, header):
    cells = [list(map(str, row)) for row in FLAT]
    words = ["cat", '"dog"', "eel"] * 4
    rows = [[*row, word] if last else [word, *row] for row, word in zip(cells, words, strict=True)]
    names = [f"{header}{number}" for number in range(785)]
    (tmp_path / "a.csv").write_text("\n".join(",".join(row) for row in ([names] if header else []) + rows))
    found = read_images(tmp_path / "a.csv")
    np.testing.assert_array_equal(found.pixels[..., 0], P)
    assert names_of(found) == ("cat", "dog", "eel") and labels_of(found) == LABELLED.tolist()


def test_a_table_of_emnist_is_turned_upright(tmp_path):
    rows = np.c_[LABELLED, P.swapaxes(1, 2).reshape(12, -1)]
    np.savetxt(tmp_path / "emnist-letters-train.csv", rows, "%d", delimiter=",")
    found = read_images(tmp_path / "emnist-letters-train.csv")
    np.testing.assert_array_equal(found.pixels[..., 0], P)
    assert "EMNIST, turned upright" in found.description


def test_numpy_writes_tables_that_are_read(tmp_path):
    np.savetxt(tmp_path / "a.txt", FLAT)
    np.testing.assert_array_equal(read_images(tmp_path / "a.txt").pixels[..., 0], P)


def test_the_training_table_of_a_folder_is_taken(tmp_path):
    for name, rows in (("train", FLAT), ("test", FLAT[:5]), ("sample_submission", FLAT[:3, :2])):
        np.savetxt(tmp_path / f"{name}.csv", rows, "%d", delimiter=",")
    assert len(load_images(tmp_path)) == 12
    (tmp_path / "train.csv").rename(tmp_path / "more.csv")
    with pytest.raises(InputError, match=r"holds .*more.csv.*; give the file that you mean"):
        load_images(tmp_path)


NO_TABLES = {
    "empty": ("", "found an empty file"),
    "a header alone": (HEADER, "found a header alone"),
    "names": ("file,label\na.png,1\nb.png,2\n", "expected numbers alone.*give their folder"),
    "ragged": ("1,2,3,4\n1,2,3\n", "expected numbers alone"),
    "no square": ("1,2,3,4,5,6,7\n2,3,4,5,6,7,8\n", "values per picture are no square"),
    "prose": ("hello\nworld\n", "expected numbers alone"),
    "not a number": ("nan,1,2,3\n4,5,6,7\n4,5,6,7\n", "holds NaN"),
}


@pytest.mark.parametrize("case", NO_TABLES)
def test_a_text_of_no_pictures_is_refused(tmp_path, case):
    text, message = NO_TABLES[case]
    (tmp_path / "bad.csv").write_text(text)
    with pytest.raises(InputError, match=message) as caught:
        load_images(tmp_path / "bad.csv")
    assert "bad.csv" in str(caught.value) and "\n" not in str(caught.value)
