"""Teacher to student: data, losses and training. Runs from a checkout with the train extra."""
