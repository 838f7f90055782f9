"""The mathematics of uncertainty: intervals, tests, curves and rates, as pure functions of numbers.

- ``interval``: what an interval and a test's result look like
- ``proportions``: Wilson and Clopper-Pearson intervals
- ``bootstrap``: percentile and BCa intervals that resample cases
- ``hypothesis``: McNemar, chi-squared, Kruskal-Wallis; Holm's adjustment
- ``roc``: ROC and precision-recall curves, their areas, DeLong
- ``agreement``: Cohen's kappa and its large-sample interval
- ``rates``: sensitivity, specificity and their kin, from counts
- ``calibration``: reliability, Brier score, temperature
- ``conformal``: thresholds of limited risk, prediction sets
- ``referral``: what is right among the units kept, by the proportion referred
- ``decision``: net benefit by the threshold probability

Bad input (NaN, negative counts, lengths that differ) is a ``DataError``; what has no value is NaN, and a method or
note says why. Not here: anything that knows of lesions, images or tables of cases (``segtumor.evaluation``), drawing
(``segtumor.reporting``), power and sample size, and models that adjust for covariates. Nothing is re-exported: import
the module.
"""
