"""Published numbers as data, and what follows from them.

One YAML file per source (``sources/``), read by ``entries`` into an ``entry.Entry``. What a source claims is recomputed
(``claims``) and the account is made (``audit``); ``protocols`` says how published studies counted, and ``comparison``
measures ours the same way and sets it beside. Not here: running a model.
"""
