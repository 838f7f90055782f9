"""How weights change: optimizers, schedules of the learning rate and of thawing, averages."""
