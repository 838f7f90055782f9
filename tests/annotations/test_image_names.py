from segtumor.annotations.image_names import NameIndex


def test_names_are_found_only_without_doubt():
    names = NameIndex(["x/a.png", "y/a.png", "b.jpeg"])
    assert [names.find(n) for n in ("y/a.png", "a.png", "b.jpg", "images\\b.jpeg", "c")] == [1, None, 2, 2, None]
    assert names.candidates("z/a.png") == []
    assert names.candidates("a.png") == [0, 1]


def test_equal_names_in_many_folders():
    names = NameIndex([f"patient{n}/IM0001.png" for n in range(1, 40)] + ["IM0002.png"])
    assert names.find("C:\\x\\patient7\\IM0001.png") == 6 and names.find("im0001.PNG") is None
    assert names.find("other/IM0001.png") is None and names.candidates("other/IM0001.png") == []
    assert len(names.candidates("IM0001.jpg")) == 39 and names.find("other/IM0002.tif") == 39
