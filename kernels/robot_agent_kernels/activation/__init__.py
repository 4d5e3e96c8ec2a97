"""The non-linearities of a hidden layer: one function for each back end."""
