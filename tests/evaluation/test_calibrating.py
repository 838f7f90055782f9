"""A temperature is not fitted on what is evaluated."""

import pytest

from segtumor.errors import ConfigError
from segtumor.evaluation.calibrating import refuse_shared
from segtumor.structures.lesions import AnnotatedImage


def images(*pairs):
    return [AnnotatedImage(i, name, (9, 9), (), {"case_id": case_id}) for i, (name, case_id) in enumerate(pairs)]


@pytest.mark.parametrize(
    ("fitted_on", "message"),
    [(images(("a.png", None)), "1 images are in both"), (images(("z.png", 7), ("y.png", "q")), "1 cases are in both")],
)
def test_shared_images_and_cases_are_refused(fitted_on, message):
    with pytest.raises(ConfigError, match=message):
        refuse_shared(fitted_on, images(("a.png", "p"), ("b.png", "7")), where="here")


def test_other_images_may_serve_and_no_case_is_no_shared_case():
    refuse_shared(images(("a.png", None), ("b.png", "")), images(("c.png", None), ("d.png", "")), where="here")
