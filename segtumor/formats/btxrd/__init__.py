"""BTXRD (Yao et al., Scientific Data 2025, doi 10.1038/s41597-024-04311-y) to COCO, from the release's own layout.

``dataset_table`` reads dataset.csv or dataset.xlsx, ``drawn_lesions`` the outlines; ``convert`` joins them and
``prepare`` splits them and writes the parts.
"""
