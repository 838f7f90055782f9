"""Why a model says what it says: heat maps of what its answer depends on."""
