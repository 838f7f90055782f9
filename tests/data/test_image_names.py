from segtumor.data.image_names import NameIndex


def test_names_are_found_only_without_doubt():
    names = NameIndex(["x/a.png", "y/a.png", "b.jpeg"])
    assert [names.find(n) for n in ("y/a.png", "a.png", "b.jpg", "images\\b.jpeg", "c")] == [1, None, 2, 2, None]
    assert names.candidates("z/a.png") == []
    assert names.candidates("a.png") == [0, 1]
