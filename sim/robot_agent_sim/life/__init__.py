"""Lives: worlds and changes one after the other, for an agent that is told of neither."""
