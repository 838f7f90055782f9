"""The page for the reading room: a server on this machine, its store of radiographs, readings and corrections."""
