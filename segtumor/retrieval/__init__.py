"""Images that a model sees alike: an index of embeddings, the nearest in it, how good they are, and a map of them.

Not here: where embeddings come from (``structures.readings.Reading.embedding``).
"""
