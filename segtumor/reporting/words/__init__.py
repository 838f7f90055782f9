"""Results in words: terms, sentences, checklists, Markdown."""
