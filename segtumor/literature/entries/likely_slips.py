"""What is allowed in an entry but likely a slip, and the word that was likely meant.

Not here: what is refused (``entries``).
"""

import difflib

from segtumor.literature.protocols import PROTOCOLS, metric_names


def remarks_on(entry):
    """Sentences on what is allowed in an Entry but likely a slip: results of a protocol that measures no such thing."""
    for result in entry.results:
        known = {name for protocol in result.protocols for name in PROTOCOLS[protocol].shapes_of_metrics}
        if result.protocols and result.metric not in known:
            near = nearest(result.metric, known) or nearest(result.metric, metric_names())
            hint = f" Did you mean {near}?" if near else " `segtumor benchmark list --schema` names our metrics."
            where = f"{entry.path.name}: metric {result.metric} is not measured by {', '.join(result.protocols)}."
            yield where + hint


def nearest(word, words):
    """The one of ``words`` that is most like a word; "" if none is."""
    return next(iter(difflib.get_close_matches(str(word), words, n=1, cutoff=0.6)), "")
