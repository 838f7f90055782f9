"""Values of a table (age, sex, site, view, ...) as numbers that a model takes: imputed, scaled, encoded.

- ``values``: what a cell is: a number, a category, several of them, or nothing
- ``numbers``: mean, median, mode; min-max and z-score
- ``categories``: one-hot, label and target encoding
- ``encoder``: several columns as one vector; plain values for JSON
- ``leaks``: columns that give the answer away

Everything is fitted on rows that the caller chooses, the training part, and then only applied. Not here: reading tables
of files (``segtumor.annotations.tables``), and what a model does with the vector.
"""
