"""Published numbers as data, and their audit: what a source printed, and what follows from what it printed.

One YAML file per source (``entries``), small functions that recompute (``checks``), and the account (``audit``).
Not here: running a model; how a run of ours is compared belongs to ``protocols`` and ``table``.
"""
