"""The models that come with segtumor, or were fetched: what each is, how good it is, and that its files are whole."""
