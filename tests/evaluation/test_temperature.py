"""A temperature is not fitted on what is evaluated."""

import pytest

from segtumor.errors import ConfigError
from segtumor.evaluation.facts.temperature import fit_score_temperature, refuse_shared
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


def test_missed_tumors_without_findings_do_not_move_the_temperature(build):
    """A score of 0 stays 0 at every temperature, so that images without findings tell nothing about it."""
    tumor, normal = [build.lesion(0, 0, 0, 4, 4)], []
    scored = [build.image(tumor, [build.finding(0, s, 0, 0, 4, 4)]) for s in (0.9, 0.8, 0.3)]
    scored += [build.image(normal, [build.finding(0, s, 0, 0, 4, 4)]) for s in (0.7, 0.2)]
    missed = [build.image(tumor) for _ in range(20)]
    assert fit_score_temperature(scored + missed, ("benign",)) == fit_score_temperature(scored, ("benign",))
