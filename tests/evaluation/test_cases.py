import numpy as np

from segtumor.evaluation.facts.cases import case_table


def test_images_of_one_case_belong_together(build):
    truths = [build.image(case_id=case_id).truth for case_id in ("b", "a", "b", "c")]
    table = case_table(truths)
    assert table.case_ids == ("b", "a", "c")
    assert table.case_of_image.tolist() == [0, 1, 0, 2]
    assert table.n_images.tolist() == [2, 1, 1]
    assert (len(table), table.n_without_id) == (3, 0)


def test_an_image_without_case_is_its_own(build):
    first, second = build.image(), build.image(case_id=None)
    named_like_it = build.image(case_id=f"image {first.truth.image_id}")
    table = case_table([first.truth, second.truth, named_like_it.truth])
    assert table.case_of_image.tolist() == [0, 1, 2]
    assert table.n_without_id == 2


def test_numbers_and_texts_name_the_same_case(build):
    assert len(case_table([build.image(case_id=7).truth, build.image(case_id="7").truth])) == 1


def test_no_images():
    table = case_table([])
    assert len(table) == table.n_without_id == 0
    assert table.case_of_image.dtype == np.int64
    assert table.n_images.tolist() == []
