"""Many files with one predictor: search, read ahead, predict, draw, and a journal to resume from."""
