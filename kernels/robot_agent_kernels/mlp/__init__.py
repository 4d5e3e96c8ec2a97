"""A multilayer perceptron with an ensemble axis."""
